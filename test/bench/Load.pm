# What other programs take of the processor while something is measured, so that a disturbed figure can be told.
#
#   my $since = Load::now();  ...;  my $cores = Load::others($since);
#
# All busy time of the machine, less that of this process, of all that it started, and of the processes in
# @Load::ours (a server that has left our family) with theirs.
package Load;
use strict;
use warnings;
use Time::HiRes qw(time);
use POSIX qw(sysconf _SC_CLK_TCK);

our @ours;

sub numbers { my ($path) = @_; open my $file, '<', $path or return ''; return scalar(<$file>) // '' }

# user, nice, system, irq, softirq and steal of all processors.
sub busy {
    my (undef, @ticks) = split ' ', numbers('/proc/stat');
    my $sum = 0;
    $sum += $_ // 0 for @ticks[0 .. 2, 5 .. 7];
    return $sum;
}

# Ticks of a process, of those children that it has waited for, and of those that live.
sub family {
    my ($pid) = @_;
    my $stat = numbers("/proc/$pid/stat") =~ s/^.*\)//r;
    my @field = split ' ', $stat or return 0;
    my $sum = $field[11] + $field[12] + $field[13] + $field[14];
    $sum += family($_) for split ' ', numbers("/proc/$pid/task/$pid/children");
    return $sum;
}

sub foreign { my $sum = busy(); $sum -= family($_) for $$, @ours; return $sum }

sub now { return [time, foreign()] }

sub others {
    my ($since) = @_;
    my ($start, $ticks) = @$since;
    return (foreign() - $ticks) / sysconf(_SC_CLK_TCK) / (time - $start);
}

1;
