# Mono: C# compiled, then run by its JIT: threads, exceptions from signals (a null reference), a child process, files.
cd /tmp
cat >Work.cs <<'CSHARP'
using System; using System.Diagnostics; using System.IO; using System.Linq; using System.Threading.Tasks;
class Work {
    static void Check(bool ok, string what) { if (!ok) { Console.Error.WriteLine(what); Environment.Exit(1); } }
    static int Length(string text) { return text.Length; }
    static void Main() {
        Check(Enumerable.Range(1, 100).AsParallel().Select(n => n * n).Sum() == 338350, "parallel");
        try { Length(null); Check(false, "null"); } catch (NullReferenceException) { }
        var task = Task.Run(() => Directory.GetFiles("/etc").Length); Check(task.Result > 5, "task");
        var start = new ProcessStartInfo("/bin/sh", "-c \"echo from a shell\"") { RedirectStandardOutput = true, UseShellExecute = false };
        using (var child = Process.Start(start)) { Check(child.StandardOutput.ReadLine() == "from a shell", "child"); child.WaitForExit(); }
        File.WriteAllText("/tmp/cs.txt", "hello"); Check(File.ReadAllText("/tmp/cs.txt") == "hello", "files");
        GC.Collect(); Check(Directory.GetCurrentDirectory() == "/tmp", "cwd");
        Console.WriteLine("done");
    }
}
CSHARP
mcs -out:work.exe Work.cs
test "$(mono work.exe)" = done
