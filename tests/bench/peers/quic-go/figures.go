// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"maps"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/quic-go/quic-go"
)

// totals of the connections of this process; those that are open count only as connections.
var totals struct {
	packetsSent, packetsLost, connections, closed atomic.Uint64
}

func opened() { totals.connections.Add(1) }

func ended(conn *quic.Conn) {
	stats := conn.ConnectionStats()
	totals.packetsSent.Add(stats.PacketsSent)
	totals.packetsLost.Add(stats.PacketsLost)
	totals.closed.Add(1)
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

type figures map[string]any

// printFigures prints one line of JSON: what this process has used so far, and `own`.
func printFigures(own figures) {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	all := figures{
		"cpu_user": seconds(usage.Utime), "cpu_system": seconds(usage.Stime),
		"peak_kib": statusKiB("VmHWM:"), "resident_kib": statusKiB("VmRSS:"), "heap_bytes": memory.HeapAlloc,
		"allocations":  memory.Mallocs,
		"packets_sent": totals.packetsSent.Load(), "packets_lost": totals.packetsLost.Load(),
		"connections": totals.connections.Load(), "closed": totals.closed.Load(),
	}
	maps.Copy(all, own)
	_ = json.NewEncoder(os.Stdout).Encode(all)
}

// eachLine calls f for every line of the input, up to its end.
func eachLine(f func(line string)) {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		f(lines.Text())
	}
}

// answerLines prints the figures for every line of the input; `collect` first gives back what the collector left.
func answerLines() {
	eachLine(func(line string) {
		if line == "collect" {
			debug.FreeOSMemory()
		}
		printFigures(figures{"open": totals.connections.Load() - totals.closed.Load()})
	})
	os.Exit(0)
}
