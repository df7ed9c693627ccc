# How contenders are compared: they take turns in short blocks, and the median block of each counts.
#
#   @rates = Race::race($blocks, $seconds, @contenders)
#
# A round before the first one warms caches and threads up and is not counted. The rounds change direction, so that
# nobody always runs after the same neighbour. A round in which other programs took a part of the processor is
# repeated, some times at most; then the quietest ones count, and $Race::disturbed says how many cores the others had.
package Race;
use strict;
use warnings;
use List::Util qw(max);
use Load;

use constant { QUIET => 0.15, PATIENCE => 4 };

our $disturbed = 0;

sub median {
    my @sorted = sort { $a <=> $b } @_;
    return @sorted % 2 ? $sorted[@sorted / 2] : ($sorted[@sorted / 2 - 1] + $sorted[@sorted / 2]) / 2;
}

# Every contender once: { others: cores that other programs had, rate: of each contender }.
sub round_of {
    my ($seconds, $backwards, @contenders) = @_;
    my @order = $backwards ? reverse(0 .. $#contenders) : 0 .. $#contenders;
    my $since = Load::now();
    my @rate;
    $rate[$_] = $contenders[$_]->block($seconds) for @order;
    return { others => Load::others($since), rate => \@rate };
}

sub race {
    my ($blocks, $seconds, @contenders) = @_;
    my @round;
    round_of($seconds, 1, @contenders);
    for my $number (1 .. PATIENCE * $blocks) {
        push @round, round_of($seconds, $number % 2 == 0, @contenders);
        last if $blocks <= grep { $_->{others} < QUIET } @round;
    }
    my @quietest = (sort { $a->{others} <=> $b->{others} } @round)[0 .. $blocks - 1];
    $disturbed = max($disturbed, map { $_->{others} } @quietest);
    return map { my $i = $_; median(map { $_->{rate}[$i] } @quietest) } 0 .. $#contenders;
}

1;
