# Ruby: threads, fork, Open3, a native extension (json, digest), temporary folders, a server and its client.
cat >/tmp/work.rb <<'RUBY'
require 'json'; require 'open3'; require 'tmpdir'; require 'digest'; require 'socket'; require 'set'
raise unless (1..8).map { |i| Thread.new { i * i } }.map(&:value).sum == 204
reader, writer = IO.pipe
pid = fork { writer.puts Dir.pwd; exit 7 }
Process.wait pid
raise unless $?.exitstatus == 7 && reader.gets == "/\n"
output, status = Open3.capture2('sort', stdin_data: "b\na\n")
raise unless status.success? && output == "a\nb\n"
Dir.mktmpdir { |folder| File.write("#{folder}/a.json", JSON.dump({ 'a' => [1] })); raise unless JSON.load_file("#{folder}/a.json") == { 'a' => [1] } }
raise unless Digest::SHA256.hexdigest('abc').start_with? 'ba7816bf'
server = UNIXServer.new('/tmp/ruby.sock')
thread = Thread.new { client = server.accept; client.puts client.gets.upcase; client.close }
socket = UNIXSocket.new('/tmp/ruby.sock'); socket.puts 'hello'
raise unless socket.gets == "HELLO\n"
thread.join
RUBY
ruby /tmp/work.rb
