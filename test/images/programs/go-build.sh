# go vet, test and build of a module with two packages, without a network; the program serves HTTP to itself and starts children.
export GOPROXY=off GOFLAGS=-mod=mod GOTOOLCHAIN=local GOCACHE=/tmp/cache GOPATH=/tmp/path CGO_ENABLED=0
mkdir -p /tmp/work/double && cd /tmp/work
printf 'module example.test/work\n\ngo 1.19\n' >go.mod
printf 'package double\n\nfunc Of(n int) int { return 2 * n }\n' >double/double.go
cat >double/double_test.go <<'GO'
package double

import "testing"

func TestOf(t *testing.T) {
	if Of(21) != 42 {
		t.Fatal(Of(21))
	}
}
GO
cat >main.go <<'GO'
package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"

	"example.test/work/double"
)

func main() {
	server := httptest.NewServer(http.FileServer(http.Dir("/tmp/work")))
	defer server.Close()
	response, err := http.Get(server.URL + "/go.mod")
	if err != nil {
		panic(err)
	}
	body, _ := io.ReadAll(response.Body)
	output, err := exec.Command("sh", "-c", "echo child").Output()
	if err != nil {
		panic(err)
	}
	self, _ := os.Executable()
	fmt.Print(len(body), " ", double.Of(21), " ", self, " ", string(output))
}
GO
go vet ./...
go test ./...
go build -o work .
test "$(./work)" = '34 42 /tmp/work/work child'
