# How the time of a training grows: one epoch of a small convolutional network (tower in Nets.pm), while one of images,
# batch, width and depth doubles and the others stay.
#
#   Growth::chart($measure, $short)    the chart as text; $measure->([$net, $rows, $batch], ...) gives rows a second for
#                                      each
#
# A line a point: the time of one epoch, the time of a unit of arithmetic (a multiplication or an addition of the
# convolutions and the last layer, forwards and backwards), and a bar for that. Where nothing but the arithmetic costs,
# the bars are equal; a longer one means overhead, a bar that grows downwards something worse than proportional.
package Growth;
use strict;
use warnings;
use Nets;

my %usual = (images => 1024, batch => 32, width => 16, depth => 4);
my %steps = (
    images => [256, 512, 1024, 2048, 4096],
    batch  => [8, 16, 32, 64, 128, 256],
    width  => [4, 8, 16, 32, 64],
    depth  => [1, 2, 4, 8, 16],
);

# Of one image: forwards, and twice that backwards.
sub arithmetic {
    my ($width, $depth) = @_;
    my $first = 2 * 9 * 3 * $width * 32 * 32;
    my $others = 2 * 9 * $width * $width * 16 * 16 * ($depth - 1);
    return 3 * ($first + $others + 2 * $width * 10);
}

# One quantity grows: a line for each of its steps.
sub lines {
    my ($measure, $what, @at) = @_;
    my @point = map { { %usual, $what => $_ } } @at;
    my @rate = $measure->(map { [Nets::tower(@$_{qw(width depth)}), @$_{qw(images batch)}] } @point);
    my $text = '';
    for my $i (0 .. $#point) {
        my $seconds = $point[$i]{images} / $rate[$i];
        my $unit = 1e12 / $rate[$i] / arithmetic(@{ $point[$i] }{qw(width depth)});
        my $length = $unit < 60 ? int($unit + 0.5) : 60;
        $text .= sprintf "%-6s %5d %9.4f s %8.2f ps  %s\n", $what, $at[$i], $seconds, $unit, '#' x $length;
    }
    return $text;
}

sub chart {
    my ($measure, $short) = @_;
    my $text = sprintf "Usual: %s. Time of one epoch; picoseconds of a unit of arithmetic.\n",
      join ', ', map { "$_ $usual{$_}" } qw(images batch width depth);
    for my $what (qw(images batch width depth)) {
        my @at = @{ $steps{$what} };
        $text .= lines($measure, $what, $short ? $at[0] : @at);
    }
    return $text;
}

1;
