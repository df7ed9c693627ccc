# The networks of the benchmarks, each in both languages side by side: a line is a layer as aiaas reads it (Keras's
# names), and the same layer in PyTorch.
#
#   $net->{keras}    the layers as JSON: a list, or for a network with branches a Functional model
#   $net->{torch}    the same as a Python expression over the names of torch.nn and the blocks of peer_torch.py,
#                    without the last softmax or sigmoid, which PyTorch has in its loss; undef where no PyTorch runs
#   $net->{input}    shape of a row; images and series have their channels first
#   $net->{type}     float or uint8
#   $net->{classes}  of a classification; without, it is a regression of
#   $net->{outputs}  numbers
#
# That both count the same parameters is checked by each training (run). Keras pads a strided "same"
# convolution on the right, PyTorch on both sides: the arithmetic is the same.
package Nets;
use strict;
use warnings;
use JSON::PP;

my $json = JSON::PP->new->canonical;

# Layers in a row: pairs of [Class => {config}] and text for PyTorch, which may be empty.
sub sequence {
    my ($input, $more, @pairs) = @_;
    my (@keras, @torch);
    while (my ($layer, $torch) = splice @pairs, 0, 2) {
        push @keras, { $layer->[0] => $layer->[1] // {} };
        push @torch, $torch if $torch ne '';
    }
    return { input => $input, type => 'float', %$more, keras => $json->encode(\@keras),
        torch => 'Sequential(' . join(', ', @torch) . ')' };
}

sub dense  { my ($units, $activation) = @_; return [Dense => { units => $units, activation => $activation }] }
sub conv   { my ($filters, $size, %more) = @_; return [Conv2D => { filters => $filters, kernel_size => $size, %more }] }
sub conv_line { my ($filters, $size, %more) = @_; return [Conv1D => { filters => $filters, kernel_size => $size, %more }] }
my $relu = [ReLU => {}];
my $norm = [BatchNormalization => {}];
my @ReLU = (activation => 'relu');
my @same = (padding => 'same');

# ---- layers in a row --------------------------------------------------------------------------------

# The Keras CIFAR-10 tutorial's.
sub tutorial {
    return (
        conv(32, 3, @ReLU),     'Conv2d(3, 32, 3), ReLU()',
        [MaxPooling2D => {}],   'MaxPool2d(2)',
        conv(64, 3, @ReLU),     'Conv2d(32, 64, 3), ReLU()',
        [MaxPooling2D => {}],   'MaxPool2d(2)',
        conv(64, 3, @ReLU),     'Conv2d(64, 64, 3), ReLU()',
        ['Flatten'],            'Flatten()',
        dense(64, 'relu'),      'Linear(1024, 64), ReLU()',
        dense(10, 'softmax'),   'Linear(64, 10)',
    );
}

sub cnn { return sequence([3, 32, 32], { classes => 10 }, tutorial()) }

# The same on bytes, as it stands in a statement.
sub cnn_bytes {
    return sequence([3, 32, 32], { classes => 10, type => 'uint8' },
        [Rescaling => { scale => 1 / 255 }], 'Rescaling(1 / 255)', tutorial());
}

sub lenet5 {
    return sequence([1, 28, 28], { classes => 10 },
        conv(6, 5, @ReLU, @same), 'Conv2d(1, 6, 5, padding=2), ReLU()',
        [MaxPooling2D => {}],     'MaxPool2d(2)',
        conv(16, 5, @ReLU),       'Conv2d(6, 16, 5), ReLU()',
        [MaxPooling2D => {}],     'MaxPool2d(2)',
        ['Flatten'],              'Flatten()',
        dense(120, 'relu'),       'Linear(400, 120), ReLU()',
        dense(84,  'relu'),       'Linear(120, 84), ReLU()',
        dense(10,  'softmax'),    'Linear(84, 10)',
    );
}

sub vgg {
    my $block = sub {
        my ($from, $to) = @_;
        return (conv($to, 3, @same), "Conv2d($from, $to, 3, padding=1)", $norm, "BatchNorm2d($to)", $relu, 'ReLU()');
    };
    return sequence([3, 32, 32], { classes => 10 },
        $block->(3, 32), $block->(32, 32),
        [MaxPooling2D => {}],       'MaxPool2d(2)',
        [Dropout => { rate => 0.2 }], 'Dropout(0.2)',
        $block->(32, 64), $block->(64, 64),
        [MaxPooling2D => {}],       'MaxPool2d(2)',
        [Dropout => { rate => 0.3 }], 'Dropout(0.3)',
        $block->(64, 128), $block->(128, 128),
        [MaxPooling2D => {}],       'MaxPool2d(2)',
        [Dropout => { rate => 0.4 }], 'Dropout(0.4)',
        ['Flatten'],                'Flatten()',
        dense(128, 'relu'),         'Linear(2048, 128), ReLU()',
        dense(10,  'softmax'),      'Linear(128, 10)',
    );
}

# MobileNet's kind: a depthwise and a pointwise convolution for every full one.
sub separable {
    my $block = sub {
        my ($from, $to, $stride) = @_;
        return (
            [DepthwiseConv2D => { kernel_size => 3, strides => $stride, padding => 'same', use_bias => JSON::PP::false }],
                "Conv2d($from, $from, 3, stride=$stride, padding=1, groups=$from, bias=False)",
            $norm, "BatchNorm2d($from)", $relu, 'ReLU()',
            conv($to, 1, use_bias => JSON::PP::false), "Conv2d($from, $to, 1, bias=False)",
            $norm, "BatchNorm2d($to)", $relu, 'ReLU()',
        );
    };
    return sequence([3, 32, 32], { classes => 10 },
        conv(32, 3, @same, use_bias => JSON::PP::false), 'Conv2d(3, 32, 3, padding=1, bias=False)',
        $norm, 'BatchNorm2d(32)', $relu, 'ReLU()',
        $block->(32, 64, 1), $block->(64, 128, 2), $block->(128, 128, 1), $block->(128, 256, 2), $block->(256, 256, 1),
        ['GlobalAveragePooling2D'], 'AdaptiveAvgPool2d(1), Flatten()',
        dense(10, 'softmax'),       'Linear(256, 10)',
    );
}

sub mlp30 {
    return sequence([30], { classes => 2 },
        dense(128, 'relu'),  'Linear(30, 128), ReLU()',
        dense(64,  'relu'),  'Linear(128, 64), ReLU()',
        dense(1, 'sigmoid'), 'Linear(64, 1)',
    );
}

sub mlp784 {
    return sequence([784], { classes => 10 },
        dense(512, 'relu'),   'Linear(784, 512), ReLU()',
        dense(256, 'relu'),   'Linear(512, 256), ReLU()',
        dense(10, 'softmax'), 'Linear(256, 10)',
    );
}

# A series of 500 moments on 12 channels.
sub conv1d {
    return sequence([12, 500], { classes => 2 },
        conv_line(32, 7, @ReLU),       'Conv1d(12, 32, 7), ReLU()',
        [MaxPooling1D => {}],       'MaxPool1d(2)',
        conv_line(64, 5, @ReLU),       'Conv1d(32, 64, 5), ReLU()',
        [MaxPooling1D => {}],       'MaxPool1d(2)',
        conv_line(64, 3, @ReLU),       'Conv1d(64, 64, 3), ReLU()',
        ['GlobalAveragePooling1D'], 'AdaptiveAvgPool1d(1), Flatten()',
        dense(2, 'softmax'),        'Linear(64, 2)',
    );
}

# What test/bench/growth lets grow: convolutions of one width over 16x16, after the first one over 32x32.
sub tower {
    my ($width, $depth) = @_;
    my @more = map { (conv($width, 3, @ReLU, @same), "Conv2d($width, $width, 3, padding=1), ReLU()") } 2 .. $depth;
    return sequence([3, 32, 32], { classes => 10 },
        conv($width, 3, @ReLU, @same), "Conv2d(3, $width, 3, padding=1), ReLU()",
        [MaxPooling2D => {}],          'MaxPool2d(2)',
        @more,
        ['GlobalAveragePooling2D'],    'AdaptiveAvgPool2d(1), Flatten()',
        dense(10, 'softmax'),          "Linear($width, 10)",
    );
}

# ---- networks with branches -------------------------------------------------------------------------

# A Functional model being written: add() takes a class, a configuration and the names of what goes in, and returns
# the name of what comes out. A further input of the same call (the value of an attention) stands in %$extra.
package Nets::Functional {
    sub new {
        my ($class, @shape) = @_;
        my %input = (batch_input_shape => [undef, @shape], dtype => 'float32', name => 'input');
        my @layer = ({ class_name => 'InputLayer', name => 'input', config => \%input, inbound_nodes => [] });
        return bless { layer => \@layer }, $class;
    }

    sub add {
        my ($self, $class, $config, $from, $extra) = @_;
        my $name = lc($class) . '_' . @{ $self->{layer} };
        my %argument = map { $_ => [$extra->{$_}, 0, 0] } keys %{ $extra // {} };
        my @from = map { [$_, 0, 0, \%argument] } ref $from ? @$from : $from;
        push @{ $self->{layer} },
          { class_name => $class, name => $name, config => { name => $name, %$config }, inbound_nodes => [\@from] };
        return $name;
    }

    sub json {
        my ($self, $output) = @_;
        return $json->encode({ class_name => 'Functional', config => { name => 'model', layers => $self->{layer},
            input_layers => [['input', 0, 0]], output_layers => [[$output, 0, 0]] } });
    }
}

# A convolution without bias and its normalization. Returns the output's name and the same for PyTorch.
sub conv_norm {
    my ($f, $x, $from, $to, $size, $stride) = @_;
    my $pad = int($size / 2);
    $x = $f->add(Conv2D => { filters => $to, kernel_size => $size, strides => $stride, padding => 'same',
        use_bias => JSON::PP::false }, $x);
    $x = $f->add(BatchNormalization => {}, $x);
    return ($x, "Conv2d($from, $to, $size, stride=$stride, padding=$pad, bias=False), BatchNorm2d($to)");
}

# Two convolutions and the way around them; a 1x1 convolution stands there when the shape changes.
sub residual {
    my ($f, $in, $from, $to, $stride) = @_;
    my ($x, $first, $second, $around, $way);
    ($x, $first) = conv_norm($f, $in, $from, $to, 3, $stride);
    $x = $f->add(ReLU => {}, $x);
    ($x, $second) = conv_norm($f, $x, $to, $to, 3, 1);
    ($around, $way) = $from == $to && $stride == 1 ? ($in, 'Identity()') : conv_norm($f, $in, $from, $to, 1, $stride);
    $x = $f->add(Add => {}, [$x, $around]);
    return ($f->add(ReLU => {}, $x), "Residual(Sequential($first, ReLU(), $second), Sequential($way))");
}

# The end of a residual network, and all of it together.
sub residual_net {
    my ($f, $x, $input, $width, $classes, @torch) = @_;
    $x = $f->add(GlobalAveragePooling2D => {}, $x);
    $x = $f->add(Dense => { units => $classes, activation => 'softmax' }, $x);
    push @torch, "AdaptiveAvgPool2d(1), Flatten(), Linear($width, $classes)";
    return { input => $input, type => 'float', classes => $classes, keras => $f->json($x),
        torch => 'Sequential(' . join(', ', @torch) . ')' };
}

# For CIFAR: 1 + 3 x 3 x 2 + 1 layers, 16, 32 and 64 filters.
sub resnet20 {
    my $f = Nets::Functional->new(3, 32, 32);
    my ($x, @torch) = conv_norm($f, 'input', 3, 16, 3, 1);
    $x = $f->add(ReLU => {}, $x);
    push @torch, 'ReLU()';
    my $from = 16;
    for my $width (16, 32, 64) {
        for my $number (1 .. 3) {
            ($x, my $torch) = residual($f, $x, $from, $width, $number == 1 && $width > 16 ? 2 : 1);
            push @torch, $torch;
            $from = $width;
        }
    }
    return residual_net($f, $x, [3, 32, 32], 64, 10, @torch);
}

# For photographs of 224x224.
sub resnet18 {
    my $f = Nets::Functional->new(3, 224, 224);
    my ($x, @torch) = conv_norm($f, 'input', 3, 64, 7, 2);
    $x = $f->add(ReLU => {}, $x);
    $x = $f->add(MaxPooling2D => { pool_size => 3, strides => 2, padding => 'same' }, $x);
    push @torch, 'ReLU()', 'MaxPool2d(3, 2, 1)';
    my $from = 64;
    for my $width (64, 128, 256, 512) {
        for my $number (1, 2) {
            ($x, my $torch) = residual($f, $x, $from, $width, $number == 1 && $width > 64 ? 2 : 1);
            push @torch, $torch;
            $from = $width;
        }
    }
    return residual_net($f, $x, [3, 224, 224], 512, 1000, @torch);
}

# BERT-base without its embeddings: 12 layers of 768 numbers and 12 heads over 128 places. Only its inference is
# measured, against the exported file, so it is written in one language. The average at the end gives the one list of
# numbers that a model has to end with.
sub bert {
    my ($width, $heads, $inner, $places) = (768, 12, 3072, 128);
    my $f = Nets::Functional->new($places, $width);
    my $x = 'input';
    for (1 .. 12) {
        my $a = $f->add(MultiHeadAttention => { num_heads => $heads, key_dim => $width / $heads }, $x, { value => $x });
        $x = $f->add(LayerNormalization => {}, $f->add(Add => {}, [$x, $a]));
        my $b = $f->add(Dense => { units => $inner, activation => 'gelu' }, $x);
        $b = $f->add(Dense => { units => $width }, $b);
        $x = $f->add(LayerNormalization => {}, $f->add(Add => {}, [$x, $b]));
    }
    $x = $f->add(GlobalAveragePooling1D => {}, $x);
    return { input => [$places, $width], type => 'float', outputs => $width, format => 'channels_last',
        keras => $f->json($x) };
}

1;
