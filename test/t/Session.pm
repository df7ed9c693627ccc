# A psql that stays open, for tests that need several sessions at once, and a counter of TAP points.
package Session;
use strict;
use warnings;
use Exporter qw(import);
use IPC::Open2;
our @EXPORT = qw(ok is done);

my ($points, $failed) = (0, 0);

sub ok {
    my ($good, $name) = @_;
    $points++;
    $failed++ if !$good;
    print $good ? 'ok' : 'not ok', " $points - $name\n";
    return $good;
}

sub is {
    my ($got, $wanted, $name) = @_;
    ok($got eq $wanted, $name) or print "#   got: $got\n#   wanted: $wanted\n";
}

sub done { print "1..$points\n"; exit($failed ? 1 : 0) }

# A session in the database; errors come back as text among the answers.
sub new {
    my ($class, $database) = @_;
    my $pid = open2(my $out, my $in, "psql -X -q -A -t -d '$database' 2>&1");
    my $self = bless { pid => $pid, in => $in, out => $out }, $class;
    $in->autoflush(1);
    return $self;
}

# Sends commands and does not wait.
sub send {
    my ($self, $sql) = @_;
    print { $self->{in} } "$sql\n;\n\\echo <<end>>\n";
}

# Waits for the answer to what was sent.
sub wait {
    my ($self) = @_;
    my $answer = '';
    while (defined(my $line = readline $self->{out})) {
        return $answer =~ s/\n\z//r if $line eq "<<end>>\n";
        $answer .= $line;
    }
    return $answer;
}

sub query {
    my ($self, $sql) = @_;
    $self->send($sql);
    return $self->wait;
}

sub close {
    my ($self) = @_;
    close $self->{in};
    waitpid $self->{pid}, 0;
}

1;
