# How well models of tables predict: aiaas and its peers on the same splits of real tables (tables.py).
#
#   Tables::found($data, $out)     names of the sets, written to $out; none when $data is not there or Python lacks pandas
#   Tables::ours($psql, $set)      { "algorithm metric" => mean over the splits }
#   Tables::peers($set)            the same of XGBoost and scikit-learn; empty when they are missing
package Tables;
use strict;
use warnings;
use File::Basename qw(dirname);
use List::Util qw(sum);

my $script = dirname(__FILE__) . '/tables.py';
my ($out, %set, %loaded);

sub found {
    my ($data, $folder) = @_;
    return if !$data || !-d $data;
    $out = $folder;
    return if system('/usr/bin/python3', $script, 'write', $data, $out) != 0;
    open my $list, '<', "$out/sets.tsv" or return;
    my @names;
    while (<$list>) {
        chomp;
        my ($name, $kind, $rows, $columns) = split /\t/;
        $set{$name} = { kind => $kind, rows => $rows, columns => $columns };
        push @names, $name;
    }
    return @names;
}

sub rows { return $set{ $_[0] }{rows} }

my %algorithms = (
    number => [qw(gradient_boosting random_forest extra_trees decision_tree linear)],
    map { $_ => [qw(gradient_boosting random_forest extra_trees decision_tree logistic)] } qw(binary classes),
);
my %metric = (number => 'rmse', binary => 'auc', classes => 'accuracy');

sub run_sql {
    my ($psql, $sql) = @_;
    open my $answer, '-|', @$psql, qw(-X -q -A -t -v ON_ERROR_STOP=1 -c), $sql or die "psql: $!\n";
    my @lines = <$answer>;
    close $answer or die "failed: $sql\n";
    chomp @lines;
    return @lines;
}

sub load {
    my ($psql, $name) = @_;
    return if $loaded{$name}++;
    run_sql($psql, "CREATE TABLE set_$name ($set{$name}{columns})");
    open my $in, '<', "$out/$name.csv" or die "$out/$name.csv: $!\n";
    open my $copy, '|-', @$psql, qw(-X -q -v ON_ERROR_STOP=1 -c), "\\copy set_$name FROM STDIN (FORMAT csv, HEADER)"
      or die "psql: $!\n";
    print $copy $_ while <$in>;
    close $copy or die "copy of $name failed\n";
}

sub one_split {
    my ($psql, $name, $algorithm, $split) = @_;
    my @columns = grep { !/^"split/ } $set{$name}{columns} =~ /("[^"]+")/g;
    my $rows    = sub { 'SELECT ' . join(', ', @columns) . " FROM set_$name WHERE split$split = $_[0]" };
    my $options = qq({"seed": $split, "deploy": "always"});
    run_sql($psql, "SET client_min_messages = warning; SELECT version FROM aiaas_train('set', \$q\$" . $rows->(0)
          . "\$q\$, target => 'target', algorithm => '$algorithm', options => '$options')");
    my ($value) = run_sql($psql, "SELECT value FROM aiaas_evaluate('set', \$q\$" . $rows->(1)
          . "\$q\$) WHERE metric = '$metric{ $set{$name}{kind} }'");
    run_sql($psql, "SET client_min_messages = warning; SELECT aiaas_drop('set')");
    return $value;
}

sub ours {
    my ($psql, $name) = @_;
    load($psql, $name);
    my $kind = $set{$name}{kind};
    my $splits = () = $set{$name}{columns} =~ /"split\d+"/g;
    return { map {
        my $algorithm = $_;
        "$algorithm $metric{$kind}" => sum(map { one_split($psql, $name, $algorithm, $_) } 0 .. $splits - 1) / $splits;
    } @{ $algorithms{$kind} } };
}

sub peers {
    my ($name) = @_;
    open my $answer, '-|', "/usr/bin/python3 $script score $out $name 2>/dev/null" or return {};
    return { map { /^(\S+ \S+) (\S+)$/ ? ($1 => $2) : () } <$answer> };
}

1;
