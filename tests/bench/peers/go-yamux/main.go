// SPDX-License-Identifier: Apache-2.0

// Command go-yamux is what tests/bench measures the two implementations of yamux in Go with. What every program takes and prints
// stands in tests/bench/README.md.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const usage = "usage: go-yamux version, or go-yamux hashicorp|libp2p server|bulk|opens|version [FLAGS]"

type settings struct {
	connect    string
	congestion string
	window     uint64
	block      int
	bytes      uint64
	parallel   int
	time       time.Duration
}

func parse(mode string, arguments []string) *settings {
	s := &settings{}
	var seconds float64
	flags := flag.NewFlagSet(mode, flag.ExitOnError)
	flags.StringVar(&s.connect, "connect", "", "ADDR:PORT")
	flags.StringVar(&s.congestion, "congestion", "cubic", "congestion control of the sockets")
	flags.Uint64Var(&s.window, "window", 0, "largest window of a stream, in bytes; 0: as the library has it")
	flags.IntVar(&s.block, "read-size", 128<<10, "bytes of a read")
	flags.Uint64Var(&s.bytes, "bytes", 1<<20, "bytes of all streams together")
	flags.IntVar(&s.parallel, "parallel", 1, "streams at a time")
	flags.Float64Var(&seconds, "seconds", 1, "how long")
	_ = flags.Parse(arguments)
	s.time = time.Duration(seconds * float64(time.Second))
	return s
}

// control sets the congestion control of a socket before it connects or listens; what is accepted inherits it.
func (s *settings) control(_, _ string, conn syscall.RawConn) error {
	const tcpCongestion = 13
	var failed error
	if err := conn.Control(func(fd uintptr) {
		failed = syscall.SetsockoptString(int(fd), syscall.IPPROTO_TCP, tcpCongestion, s.congestion)
	}); err != nil {
		return err
	}
	return failed
}

func (s *settings) dial() net.Conn {
	conn, err := (&net.Dialer{Control: s.control}).Dial("tcp", s.connect)
	check(err)
	return conn
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func versionOf(module string) string {
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, each := range build.Deps {
			if each.Path == module {
				return each.Version
			}
		}
	}
	return "(unknown)"
}

func seconds(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)*1e-6 }

func statusKiB(name string) int64 {
	text, _ := os.ReadFile("/proc/self/status")
	for _, line := range strings.Split(string(text), "\n") {
		if rest, found := strings.CutPrefix(line, name); found {
			value, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return value
		}
	}
	return 0
}

// printFigures prints one line of JSON: what this process has used so far, and `own`.
func printFigures(own map[string]any) {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	all := map[string]any{
		"cpu_user": seconds(used.Utime), "cpu_system": seconds(used.Stime),
		"peak_kib": statusKiB("VmHWM:"), "resident_kib": statusKiB("VmRSS:"), "heap_bytes": memory.HeapAlloc,
		"allocations": memory.Mallocs,
	}
	maps.Copy(all, own)
	_ = json.NewEncoder(os.Stdout).Encode(all)
}

func main() {
	modes := map[string]func(*library, *settings){"server": serve, "bulk": bulk, "opens": opens,
		"version": func(lib *library, _ *settings) { fmt.Println(lib.module + " " + versionOf(lib.module)) }}
	if len(os.Args) == 2 && os.Args[1] == "version" {
		for _, lib := range libraries {
			fmt.Println(lib.module + " " + versionOf(lib.module))
		}
		return
	}
	if len(os.Args) < 3 || libraries[os.Args[1]] == nil || modes[os.Args[2]] == nil {
		fmt.Fprintln(os.Stderr, usage)
		os.Exit(2)
	}
	modes[os.Args[2]](libraries[os.Args[1]], parse(os.Args[2], os.Args[3:]))
}
