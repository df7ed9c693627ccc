# Who aiaas is compared with, and the settings in which they are fastest.
#
#   Peers::find($folder, $wanted)    looks for them (test/bench/peers); returns a text for each, also for what is missing.
#                                    $wanted: words out of torch, ort and trees
#   Peers::has_torch()
#   Peers::torch(SCRIPT, ARGS...)    a command and an environment for Contender, or nothing when there is no PyTorch
#   Peers::plain_torch(...)          the same without the environment, for what is not about time
#   Peers::trees(SCRIPT, ARGS...)    a command for Contender, or nothing when there is no XGBoost or scikit-learn
#   Peers::ort()                     path of the library of ONNX Runtime, or undef
package Peers;
use strict;
use warnings;
use File::Basename qw(dirname);

my %path;

# Debian's PyTorch multiplies through whatever BLAS is on the library path, and its own threads are OpenMP's: with a
# BLAS that has threads of its own, the two fight for the cores. Large blocks of memory that go back to
# the kernel after every step come again page by page, so malloc keeps them.
my %tuned = (
    MALLOC_MMAP_THRESHOLD_ => 4 << 30,
    MALLOC_TRIM_THRESHOLD_ => 4 << 30,
    MALLOC_TOP_PAD_        => 256 << 20,
    GLIBC_TUNABLES         => 'glibc.malloc.hugetlb=1',
);

sub find {
    my ($folder, $wanted) = @_;
    my $script = dirname(__FILE__) . '/peers';
    my @found;
    for (`$script '$folder' $wanted`) {
        chomp;
        my ($name, $value) = split /\t/, $_, 2;
        $path{$name} = $value;
        push @found, "$name: $value" if $name =~ /^(missing|PyTorch|ONNX Runtime|XGBoost|scikit-learn)$/;
    }
    return @found;
}

sub has_torch { return defined $path{python} }

sub plain_torch {
    my ($script, @arguments) = @_;
    return has_torch() ? (command => [$path{python}, dirname(__FILE__) . "/$script", @arguments]) : ();
}

sub torch {
    my %with = plain_torch(@_) or return ();
    my @blas = $path{blas} ? (LD_LIBRARY_PATH => join ':', $path{blas}, $ENV{LD_LIBRARY_PATH} // ()) : ();
    return (%with, env => { %tuned, @blas });
}

sub trees {
    my ($script, @arguments) = @_;
    return $path{trees} ? (command => [$path{trees}, dirname(__FILE__) . "/$script", @arguments]) : ();
}

sub ort { return $path{'ONNX Runtime'} }

1;
