#!/bin/sh
# perl: hashes, strings, sorting, closures, a fork per round.
# shellcheck source=tests/programs/lib.sh
. "${0%/*}/lib.sh"
setup perl perl

PERL_HASH_SEED=0 # the order of hashes is part of the output
export PERL_HASH_SEED

cat >work.pl <<'EOF'
use strict;
use warnings;
my ($rounds, %words, @closures) = ($ARGV[0]);
srand 7;
for my $round (1 .. $rounds) {
    my @letters = map { join '', map { chr(97 + int rand 26) } 1 .. 1 + int rand 40 } 1 .. 20000;
    $words{$_}{$round}++ for @letters;
    delete $words{$_} for grep { length $_ < 3 } keys %words;
    push @closures, do { my $held = join ',', sort @letters[0 .. 500]; sub { length $held } };
    (my $text = join ' ', @letters) =~ s/(\w{5})(\w*)/uc($1) . reverse $2/ge;
    print "$round ", scalar(keys %words), ' ', length $text, ' ', unpack('%32C*', $text), "\n";
    my $pid = open my $child, '-|' // die;
    if (!$pid) { print join ' ', map { scalar keys %{ $words{$_} } } (sort keys %words)[0 .. 50]; exit 0 }
    print <$child>, "\n";
    close $child;
}
print join(' ', map { $_->() } @closures), "\n";
EOF
same_run "words, closures, forks" perl work.pl "$(quick 2 6)"
finish
