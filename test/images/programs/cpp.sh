# g++: exceptions, threads, regular expressions, file systems; once more with the sanitizers of addresses and of threads, which map memory as they like.
cd /tmp
cat >work.cpp <<'CPP'
#include <atomic>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <regex>
#include <thread>
#include <vector>
int main()
{
	std::atomic<int> sum{0};
	std::vector<std::thread> threads;
	for (int i = 1; i <= 8; i++) threads.emplace_back([&sum, i] { sum += i; });
	for (auto &thread : threads) thread.join();
	try { std::map<int, int>().at(1); return 1; } catch (const std::out_of_range &) { }
	std::ofstream("/tmp/cpp.txt") << "hello";
	if (!std::regex_match("abc123", std::regex("[a-c]+\\d+")) || std::filesystem::file_size("/tmp/cpp.txt") != 5) return 2;
	int folders = 0;
	for (auto &entry : std::filesystem::directory_iterator("/")) folders += entry.is_directory();
	std::cout << sum << ' ' << (folders > 5) << ' ' << std::filesystem::current_path() << std::endl;
}
CPP
for flags in -O2 '-O1 -fsanitize=address,undefined' '-O1 -fsanitize=thread'; do
  g++ -std=c++17 $flags -o work work.cpp
  test "$(ASAN_OPTIONS=detect_leaks=0 ./work)" = '36 1 "/tmp"'
done
