# How contenders are compared: they take turns in short blocks, and the median block of each counts.
#
#   @rates = Race::race($blocks, $seconds, @contenders)
#
# A round before the first one warms caches and threads up and is not counted. The rounds change direction, so that
# nobody always runs after the same neighbour.
package Race;
use strict;
use warnings;

sub median {
    my @sorted = sort { $a <=> $b } @_;
    return @sorted % 2 ? $sorted[@sorted / 2] : ($sorted[@sorted / 2 - 1] + $sorted[@sorted / 2]) / 2;
}

sub race {
    my ($blocks, $seconds, @contenders) = @_;
    my @rates = map { [] } @contenders;
    for my $round (0 .. $blocks) {
        my @order = 0 .. $#contenders;
        @order = reverse @order if $round % 2;
        for (@order) {
            my $rate = $contenders[$_]->block($seconds);
            push @{ $rates[$_] }, $rate if $round > 0;
        }
    }
    return map { median(@$_) } @rates;
}

1;
