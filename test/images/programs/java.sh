# Java: javac and jar; the jar starts threads, child processes (ProcessBuilder), walks files, maps one, serves HTTP to itself.
mkdir -p /tmp/src /tmp/classes && cd /tmp
cat >src/Work.java <<'JAVA'
import java.io.RandomAccessFile;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.*;
import java.nio.channels.FileChannel;
import java.nio.file.*;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;

public class Work {
    static void check(boolean ok, String what) { if (!ok) throw new AssertionError(what); }

    public static void main(String[] args) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(8);
        List<Future<Integer>> results = new ArrayList<>();
        for (int i = 1; i <= 100; i++) { final int n = i; results.add(pool.submit(() -> n * n)); }
        int sum = 0;
        for (Future<Integer> result : results) sum += result.get();
        check(sum == 338350, "threads");
        check(IntStream.range(0, 1 << 20).parallel().filter(i -> i % 3 == 0).count() == 349526, "parallel streams");
        for (int i = 0; i < 5; i++) {
            Process child = new ProcessBuilder("sh", "-c", "read x; echo got $x").redirectErrorStream(true).start();
            try (var out = child.outputWriter()) { out.write("line\n"); }
            check(child.inputReader().readLine().equals("got line") && child.waitFor() == 0, "ProcessBuilder");
        }
        try (Stream<Path> files = Files.walk(Path.of("/usr/share/java"))) { check(files.count() > 0, "walk"); }
        try (FileChannel channel = new RandomAccessFile("/tmp/map", "rw").getChannel()) {
            channel.map(FileChannel.MapMode.READ_WRITE, 0, 4096).put(0, (byte) 7);
        }
        check(Files.readAllBytes(Path.of("/tmp/map"))[0] == 7, "mapped file");
        var server = com.sun.net.httpserver.HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.createContext("/", exchange -> { exchange.sendResponseHeaders(200, 2); exchange.getResponseBody().write("ok".getBytes()); exchange.close(); });
        server.start();
        URI address = URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/");
        String body = HttpClient.newHttpClient().send(HttpRequest.newBuilder(address).build(), HttpResponse.BodyHandlers.ofString()).body();
        check(body.equals("ok"), "HTTP");
        server.stop(0);
        pool.shutdown();
        System.out.println("done in " + System.getProperty("user.dir"));
    }
}
JAVA
javac -d classes src/Work.java
jar --create --file work.jar --main-class Work -C classes .
test "$(java -jar work.jar)" = 'done in /tmp'
