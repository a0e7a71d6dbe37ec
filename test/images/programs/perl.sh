# Perl: threads, fork, pipes to children, modules with native code, File::Find, sockets.
cat >/tmp/work.pl <<'PERL'
use strict; use warnings; use threads;
use File::Find; use File::Temp 'tempdir'; use POSIX ':sys_wait_h'; use Digest::SHA 'sha256_hex'; use Cwd; use IO::Socket::UNIX; use Storable;
my @squares = map { $_->join } map { my $i = $_; threads->create(sub { $i * $i }) } 1 .. 8;
die unless "@squares" eq '1 4 9 16 25 36 49 64';
my $pid = fork // die; exit 7 unless $pid; waitpid $pid, 0; die unless WEXITSTATUS($?) == 7;
open my $sort, '-|', 'sh', '-c', 'printf "b\na\n" | sort' or die; die unless join('', <$sort>) eq "a\nb\n";
my $found = 0; find(sub { $found++ if /\.pm$/ }, '/usr/share/perl'); die unless $found > 100;
my $folder = tempdir(CLEANUP => 1); store([1, 2], "$folder/a"); die unless retrieve("$folder/a")->[1] == 2;
die unless sha256_hex('abc') =~ /^ba7816bf/ and getcwd eq '/';
my $server = IO::Socket::UNIX->new(Local => "$folder/s", Listen => 1) or die;
my $client = IO::Socket::UNIX->new(Peer => "$folder/s") or die; print $client "hello\n"; $client->flush;
die unless $server->accept->getline eq "hello\n";
PERL
perl /tmp/work.pl
