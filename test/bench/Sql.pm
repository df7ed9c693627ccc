# The benchmarks that run in a database: a private PostgreSQL (test/server), started when the first one needs it and
# destroyed with the run.
#
#   Sql::predictions($table, $layers, $processes)    a Query over a table of predictions.sql, its model made from $layers
#   Sql::statement(dir, layers, threads, epochs, runs)
#       the training of statement.sql on CIFAR-10 and the same by statement_torch.py; for each { seconds, epochs,
#       accuracy }, the second undef when there is no PyTorch
#   Sql::database()                                  the command of a psql there
package Sql;
use strict;
use warnings;
use File::Basename qw(dirname);
use Time::HiRes qw(time);
use Load;
use Peers;
use Query;
use Race;

my $here   = dirname(__FILE__);
my $server = "bench-$$";
my ($is_up, %has);

END { my $status = $?; system 'test/server', 'destroy', $server if $is_up; $? = $status }

sub psql { return ('test/server', 'psql', $server, '-d', 'bench', @_) }

sub command {
    my (@command) = @_;
    system(@command) == 0 or die "failed: @command\n";
}

sub file {
    my ($path, %variable) = @_;
    command(psql(qw(-X -q -v ON_ERROR_STOP=1 -o /dev/null), (map { ('-v', "$_=$variable{$_}") } sort keys %variable), '-f', $path));
}

sub need_server {
    return if $is_up;
    $is_up = 1;    # even a half-made one has to go
    command('test/server', 'start', $server);
    push @Load::ours, split ' ', `test/server pid $server`;
    command('test/server', 'psql', $server, '-X', '-q', '-c', 'CREATE DATABASE bench');
    command(psql(qw(-X -q -c), 'CREATE EXTENSION aiaas'));
}

# The command of a psql in a database with the extension.
sub database { need_server(); return [psql()] }

# ---- predictions ------------------------------------------------------------------------------------

my %table = (
    measurement => { rows => 100_000, query => "SELECT sum(aiaas_predict('measurement', x)) FROM measurement" },
    boosting    => { rows => 100_000, query => "SELECT sum(aiaas_predict('boosting', x)) FROM boosting" },
    picture     => { rows => 5_000,   query => "SELECT sum(aiaas_predict('picture', image)) FROM picture" },
);

# Workers do all the work, so that their number is the number of busy processes.
sub settings {
    my ($processes) = @_;
    return "SET jit = off; SET max_parallel_workers_per_gather = " . ($processes > 1 ? $processes : 0)
      . "; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0"
      . "; SET parallel_leader_participation = off";
}

sub predictions {
    my ($name, $layers, $processes) = @_;
    need_server();
    file("$here/predictions.sql", table => $name, rows => $table{$name}{rows}, layers => $layers) if !$has{$name}++;
    command(psql(qw(-X -q -c), "ALTER TABLE $name SET (parallel_workers = $processes)"));
    my $query = Query->start([psql()], %{ $table{$name} }, set => settings($processes));
    my $plan = $query->plan;
    die "not the plan that was wanted:\n$plan" if $processes > 1 && $plan !~ /Workers Planned: $processes\n/;
    return $query;
}

# ---- a whole training -------------------------------------------------------------------------------

sub load_images {
    my ($dir) = @_;
    return if $has{cifar10}++;
    my $seen = `test/server dir $server`;
    chomp $seen;
    # The server's user may not see the caller's folder.
    command('sh', '-c', 'mkdir "$2" && cp "$1"/*_batch*.bin "$2" && chmod -R a+rX "$2"', 'sh', $dir, "$seen/cifar10");
    file('test/demo/cifar10.sql', dir => "$seen/cifar10");
}

sub train_here {
    my (%with) = @_;
    my $start = time;
    file("$here/statement.sql", map { $_ => $with{$_} } qw(layers threads epochs));
    my $seconds = time - $start;
    open my $answer, '-|', psql(qw(-X -q -A -t -c),
        "SELECT value FROM aiaas_evaluate('cifar10', 'SELECT image, label FROM cifar10_test') WHERE metric = 'accuracy'");
    my $accuracy = <$answer>;
    die "no accuracy\n" if !defined $accuracy;
    return { seconds => $seconds, accuracy => $accuracy, epochs => $with{epochs} };
}

sub train_torch {
    my (%with) = @_;
    my %torch = Peers::torch('statement_torch.py', @with{qw(dir threads epochs)}) or return undef;
    local @ENV{ keys %{ $torch{env} } } = values %{ $torch{env} };
    open my $answer, '-|', @{ $torch{command} };
    my ($seconds, $accuracy) = split ' ', <$answer> // '';
    die "statement_torch.py gave no answer\n" if !defined $accuracy;
    return { seconds => $seconds, accuracy => $accuracy, epochs => $with{epochs} };
}

# The run of median time, with its accuracy.
sub middle {
    my @sorted = sort { $a->{seconds} <=> $b->{seconds} } grep { defined } @_;
    return $sorted[$#sorted / 2];
}

sub statement {
    my (%with) = @_;
    need_server();
    load_images($with{dir});
    my (@ours, @theirs);
    my $since = Load::now();
    for (1 .. $with{runs}) {
        push @ours,   train_here(%with);
        push @theirs, train_torch(%with);
    }
    $Race::disturbed = Load::others($since);
    return (middle(@ours), middle(@theirs));
}

1;
