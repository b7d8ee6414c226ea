# Hashes of arrays, strings that grow, sorting, substitution.
use strict;
use warnings;

my ($state, %seen, @lines) = (1);
for (1 .. 500000) {
    $state = ($state * 1103515245 + 12345) & 0x7fffffff;
    push @{$seen{'w' . $state % 40000}}, $state;
}
for my $word (sort keys %seen) {
    push @lines, join(',', $word, sort { $a <=> $b } @{$seen{$word}});
}
my $text = join("\n", @lines);
my $changed = ($text =~ s/(\d\d)(\d)/$2$1/g);
my %lengths;
$lengths{length $_}++ for split /\n/, $text;
print scalar(@lines), ' ', $changed, ' ', length($text), ' ', scalar(keys %lengths), "\n";
