// A static program whose runtime makes its system calls itself, on small stacks: what it sees is what the runner shows it.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

func main() {
	directory, err := os.Getwd()
	check(err)
	fmt.Println("cwd", directory)

	entries, err := os.ReadDir("/")
	check(err)
	for _, entry := range entries {
		fmt.Println("/" + entry.Name())
	}

	self, err := os.Executable()
	check(err)
	fmt.Println("self", self)

	// Many goroutines, each on a stack that has just been made.
	var group sync.WaitGroup
	for i := 0; i < 64; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			name := filepath.Join(os.TempDir(), fmt.Sprintf("gotest-%d-%d", os.Getpid(), i))
			for round := 0; round < 20; round++ {
				check(os.WriteFile(name, []byte("x"), 0o600))
				_, err := os.Stat(name)
				check(err)
				check(os.Remove(name))
			}
		}(i)
	}
	group.Wait()
	fmt.Println("files ok")

	for i := 0; i < 10; i++ {
		output, err := exec.Command("/bin/sh", "-c", "echo child $0", fmt.Sprint(i)).Output()
		check(err)
		fmt.Print(string(output))
	}
}

func check(err error) {
	if err != nil {
		fmt.Println("FAILED", err)
		os.Exit(1)
	}
}
