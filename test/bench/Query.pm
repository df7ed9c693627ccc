# A statement in a session of psql that stays open, as a contender (see Contender.pm).
#
#   my $q = Query->start($database, rows => 100000, set => 'SET ...', query => 'SELECT ...');
#   $q->block($seconds)     rows a second, over as many executions as the time needs
#   $q->plan                the statement's plan as text
package Query;
use strict;
use warnings;
use IPC::Open2 qw(open2);
use Time::HiRes qw(time);

sub start {
    my ($class, $psql, %with) = @_;
    my $pid = open2(my $out, my $in, @$psql, qw(-X -q -A -t -v ON_ERROR_STOP=1));
    my $self = bless { pid => $pid, in => $in, out => $out, %with }, $class;
    $in->autoflush(1);
    $self->ask($with{set});
    return $self;
}

sub ask {
    my ($self, $sql) = @_;
    my $answer = '';
    print { $self->{in} } "$sql;\n\\echo <<end>>\n";
    while (defined(my $line = readline $self->{out})) {
        return $answer if $line eq "<<end>>\n";
        $answer .= $line;
    }
    die "psql ended at: $sql\n";
}

sub plan { my ($self) = @_; return $self->ask("EXPLAIN $self->{query}") }

sub block {
    my ($self, $seconds) = @_;
    my ($start, $rows, $took) = (time, 0);
    do {
        $self->ask($self->{query});
        $rows += $self->{rows};
        $took = time - $start;
    } while ($took < $seconds);
    return $rows / $took;
}

sub end {
    my ($self) = @_;
    my $pid = delete $self->{pid} or return;
    close $self->{in};
    waitpid $pid, 0;
}

sub DESTROY { local ($@, $?); $_[0]->end }

1;
