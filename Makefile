# aiaas: machine learning inside PostgreSQL. `make help` lists the targets.
#
# This file is read in two ways. The outer reading needs nothing but make: it knows the targets that
# people type, and finds out what is installed. The inner one (AIAAS_INNER=1, called by the outer)
# builds and installs the extension through PostgreSQL's own makefiles, PGXS, whose targets
# (`check` among them) would collide with ours.
#
# The two floors of the house get two sets of flags. Engine objects are plain C11 and see no header of the
# server; glue objects are compiled the way PostgreSQL compiles extensions and see only src/ax.h.
#
# Variables: PG_CONFIG chooses a PostgreSQL; AIAAS_WERROR=1 makes warnings errors; AIAAS_CFLAGS adds flags
# to both floors.

ENGINE_SOURCES := $(sort $(wildcard src/engine/*/*.c))
GLUE_SOURCES := $(sort $(wildcard src/pg/*.c))

CC_TARGET := $(shell $(CC) -dumpmachine 2>/dev/null)
BLAS_INCLUDE := $(firstword $(wildcard /usr/include/*/openblas-pthread /usr/include/openblas))

comma := ,

# No fast-math and no contraction: the same input gives the same bits, and NaN stays NaN.
ENGINE_FLAGS := -std=gnu11 -D_GNU_SOURCE -Isrc -Isrc/engine $(addprefix -isystem ,$(BLAS_INCLUDE)) \
	-g -fPIC -pthread -fvisibility=hidden -fno-math-errno -fno-trapping-math -ffp-contract=off \
	-Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes -Wpointer-arith -Wvla -Wundef \
	-Wwrite-strings -Wno-unused-parameter -MMD -MP \
	$(if $(AIAAS_WERROR),-Werror) $(AIAAS_CFLAGS)
# The threaded OpenBLAS by name: the serial one of the distribution is not safe to call from several threads at once
# (small products come out wrong now and then).
BLAS_LIBRARY := $(firstword $(wildcard /usr/lib/*/openblas-pthread))
ENGINE_LIBS := $(if $(BLAS_LIBRARY),-L$(BLAS_LIBRARY) -Wl$(comma)-rpath$(comma)$(BLAS_LIBRARY)) -lopenblas -lpthread -lm

# Sums of products may use fused multiply-adds: they round once less, and differ between instruction sets anyway.
%/tensor/tile_base.o %/tensor/channel_base.o %/tensor/winograd_base.o: ISA_FLAGS := -ffp-contract=fast

# A kernel file per instruction set, chosen when the library is loaded; elsewhere they are empty.
ifneq ($(filter x86_64-%,$(CC_TARGET)),)
AVX2 := -mavx2 -mfma -mf16c
AVX512 := -mavx512f -mavx512bw -mavx512dq -mavx512vl $(AVX2)
%/tensor/kernel_avx2.o: ISA_FLAGS := $(AVX2)
%/tensor/kernel_avx512.o %/tensor/tree_avx512.o: ISA_FLAGS := $(AVX512)
%/tensor/tile_avx2.o %/tensor/channel_avx2.o %/tensor/winograd_avx2.o: ISA_FLAGS := $(AVX2) -ffp-contract=fast
%/tensor/tile_avx512.o %/tensor/channel_avx512.o %/tensor/winograd_avx512.o: ISA_FLAGS := $(AVX512) -ffp-contract=fast
endif

ifndef AIAAS_INNER
# ---- outer: what people type ----------------------------------------------------------------------

.DEFAULT_GOAL := all
.PHONY: all install uninstall installcheck setup demo demo-stop check unit fuzz lint format bench clean help

INNER = +@PG_CONFIG=$$(test/setup --pg-config) || { \
	echo "No PostgreSQL with its server headers found: run 'test/setup' as root, or set PG_CONFIG" >&2; exit 1; }; \
	$(MAKE) --no-print-directory AIAAS_INNER=1 PG_CONFIG="$$PG_CONFIG"

# For those who asked for something else than a build: on all cores, and silent as long as it goes well.
BUILD_QUIETLY = +@echo "Building aiaas ..."; $(MAKE) -s --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$$(nproc)) all

all: ## build the extension
	$(INNER) all

install: all ## install it into the PostgreSQL that PG_CONFIG names
	$(INNER) install

uninstall: ## remove it from there
	$(INNER) uninstall

installcheck: ## run the SQL regression tests against an installed, running server
	$(INNER) installcheck

setup: ## install what building and testing need (as root)
	@test/setup check

demo: ## train and use a network from SQL, in a private PostgreSQL (CIFAR10_DIR=..., FULL=1)
	@test/setup demo
	$(BUILD_QUIETLY)
	@test/demo/run

demo-stop: ## stop the demo's server and delete its data
	@test/demo/run stop

check: ## run every test (PARTS="unit pgtap" chooses, ONLY=name filters)
	@test/setup check
	@test/check $(PARTS)

unit: ## run the engine's unit tests, with AddressSanitizer and UBSan (ONLY=name filters)
	@test/check unit

fuzz: ## fuzz the parsers for FUZZ_SECONDS each (60), with libFuzzer where clang has it
	+@$(MAKE) --no-print-directory fuzz-run

lint: ## check the borders between the floors, the exported names and the style
	@test/check lint

format: ## format the C sources with clang-format
	clang-format -i $$(find src test -name '*.[ch]')

bench: ## measure aiaas beside PyTorch and ONNX Runtime (ONLY=pattern filters; see test/bench/run)
	@test/setup demo
	$(BUILD_QUIETLY)
	+@$(MAKE) -s --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$$(nproc)) bench-programs
	@test/bench/run

clean: ## delete what was built
	rm -rf build aiaas.so results regression.diffs regression.out
	find src \( -name '*.o' -o -name '*.d' -o -name '*.bc' \) -delete

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) | \
		while IFS='|' read -r name what; do printf '  make %-13s %s\n' "$$name" "$$what"; done

include test/unit/Makefile.inc
include test/bench/Makefile.inc

else
# ---- inner: PGXS ------------------------------------------------------------------------------------

ENGINE_OBJS := $(ENGINE_SOURCES:.c=.o)
GLUE_OBJS := $(GLUE_SOURCES:.c=.o)

EXTENSION := aiaas
MODULE_big := aiaas
OBJS := $(GLUE_OBJS) $(ENGINE_OBJS)
DATA := $(sort $(wildcard sql/aiaas--*.sql))
REGRESS := $(sort $(basename $(notdir $(filter-out sql/aiaas--%,$(wildcard sql/*.sql)))))
REGRESS_OPTS := --load-extension=aiaas

PG_CPPFLAGS := -Isrc
PG_CFLAGS := -Wno-declaration-after-statement -MMD -MP $(if $(AIAAS_WERROR),-Werror) $(AIAAS_CFLAGS)
SHLIB_LINK := $(ENGINE_LIBS) -Wl,--version-script=build/aiaas.map

override with_llvm := no
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

# More specific than PGXS's own rule, so none of its flags and none of its folders reaches the engine.
src/engine/%.o: src/engine/%.c
	$(CC) $(ENGINE_FLAGS) -O3 $(ISA_FLAGS) -c -o $@ $<

$(OBJS): Makefile

# The library exports what the server looks up by name, and nothing else: the functions that SQL
# can call, which PG_FUNCTION_INFO_V1 marks, and the entry points of background workers.
build/aiaas.map: $(GLUE_OBJS)
	@mkdir -p build
	@{ echo '{ global: Pg_magic_func; _PG_init; pg_finfo_*; aiaas_*_main;'; \
	   nm $^ | sed -n 's/.* T pg_finfo_\(.*\)/\1;/p'; echo 'local: *; };'; } >$@

aiaas.so: build/aiaas.map

-include $(OBJS:.o=.d)
endif
