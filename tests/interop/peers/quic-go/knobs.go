// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/tls"
	"runtime/debug"
	"unsafe"
)

// crypto/tls has no option for the suites of TLS 1.3; it leaves these variables open to the linker for QUIC libraries.

//go:linkname tls13Suites crypto/tls.cipherSuitesTLS13
var tls13Suites []unsafe.Pointer

//go:linkname tls13Defaults crypto/tls.defaultCipherSuitesTLS13
var tls13Defaults []uint16

//go:linkname tls13DefaultsWithoutAES crypto/tls.defaultCipherSuitesTLS13NoAES
var tls13DefaultsWithoutAES []uint16

// quic-go updates its keys by itself, the first time after this many packets (100 unless changed).
//
//go:linkname firstKeyUpdateInterval github.com/quic-go/quic-go/internal/handshake.FirstKeyUpdateInterval
var firstKeyUpdateInterval uint64

const bytesPerPacket = 1200

// restrictCipherSuites leaves one suite to both roles, so that the other side has to take it.
func restrictCipherSuites(name string) bool {
	if name != "chacha20" {
		return false
	}
	for _, suite := range tls13Suites {
		if *(*uint16)(suite) == tls.TLS_CHACHA20_POLY1305_SHA256 { // the first member of a suite is its id
			tls13Suites = []unsafe.Pointer{suite}
			tls13Defaults = []uint16{tls.TLS_CHACHA20_POLY1305_SHA256}
			tls13DefaultsWithoutAES = tls13Defaults
			return true
		}
	}
	return false
}

func scheduleKeyUpdate(afterBytes int64) {
	firstKeyUpdateInterval = max(1, uint64(afterBytes)/bytesPerPacket)
}

func libraryVersion() string {
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, module := range build.Deps {
			if module.Path == "github.com/quic-go/quic-go" {
				return module.Version
			}
		}
	}
	return "(unknown)"
}
