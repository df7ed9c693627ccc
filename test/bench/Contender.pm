# A program that is measured: started once, it stays, and works when it is told to (see engine.c for the protocol).
# So contenders can take turns in short blocks, and whatever else the machine does hits all of them.
#
#   my $c = Contender->start(command => [...], env => {...}, count => 2);
#   $c->{ready}              the words after "ready", or undef, and then
#   $c->{complaint}          "unsupported MESSAGE" or "failed MESSAGE"
#   $c->block($seconds)      rows a second; with a count above 1, of so many processes side by side
#   $c->ask('memory')        the answer to any command
#
# What a program writes to its standard error goes where the run's does.
package Contender;
use strict;
use warnings;
use IPC::Open2 qw(open2);
use Time::HiRes qw(time);

my $patience = $ENV{AIAAS_TIMEOUT} || 900;
my %alive;

# A broken pipe is noticed when the answer is missing.
$SIG{PIPE} = 'IGNORE';
END { my $status = $?; kill TERM => keys %alive; $? = $status }

sub start {
    my ($class, %with) = @_;
    my $self = bless { name => $with{command}[0], process => [] }, $class;
    for (1 .. $with{count} // 1) {
        local @ENV{ keys %{ $with{env} // {} } } = values %{ $with{env} // {} };
        my $pid = open2(my $out, my $in, @{ $with{command} });
        $in->autoflush(1);
        $alive{$pid} = 1;
        push @{ $self->{process} }, { pid => $pid, in => $in, out => $out };
    }
    for (map { listen_to($_) } @{ $self->{process} }) {
        if   (/^ready ?(.*)/) { $self->{ready} = $1 if !$self->{complaint} }
        else                  { $self->{complaint} = $_; delete $self->{ready} }
    }
    return $self;
}

# The next line of a process. One that says nothing for long, or has ended, is no longer a contender.
sub listen_to {
    my ($process) = @_;
    my $line = eval {
        local $SIG{ALRM} = sub { die "slow\n" };
        alarm $patience;
        my $got = readline $process->{out};
        alarm 0;
        $got;
    };
    alarm 0;
    return 'failed no answer' . ($@ ? " within $patience seconds" : ', the program has ended') if !defined $line;
    chomp $line;
    return $line;
}

# Sends one command to all, then hears all.
sub ask_all {
    my ($self, $command) = @_;
    my @process = @{ $self->{process} };
    print { $_->{in} } "$command\n" for @process;
    my @answers = map { listen_to($_) } @process;
    for (@answers) { die "$self->{name}: $_\n" if /^(failed|unsupported)/ }
    return @answers;
}

sub ask { my ($self, $command) = @_; return ($self->ask_all($command))[0] }

sub block {
    my ($self, $seconds) = @_;
    my $rate = 0;
    for ($self->ask_all("block $seconds")) {
        my (undef, $rows, $took) = split;
        $rate += $rows / $took;
    }
    return $rate;
}

sub end {
    my ($self) = @_;
    for (splice @{ $self->{process} }) {
        close $_->{in};
        kill TERM => $_->{pid} if !defined $self->{ready};
        waitpid $_->{pid}, 0;
        delete $alive{ $_->{pid} };
    }
}

sub DESTROY { local ($@, $?); $_[0]->end }

1;
