// SPDX-License-Identifier: Apache-2.0
package main

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

const (
	blockSize  = 65521
	resetAfter = 1000
	greeting   = "220 interop\r\n"
)

var block = func() []byte {
	made := make([]byte, blockSize)
	for i := range made {
		made[i] = byte(31*i + i/251)
	}
	return made
}()

// pattern reads as the block over and over.
type pattern struct{ at int }

func (p *pattern) Read(into []byte) (int, error) {
	n := copy(into, block[p.at:])
	p.at = (p.at + n) % blockSize
	return n, nil
}

func sumOf(from io.Reader, limit uint64) (uint64, []byte, error) {
	digest := sha256.New()
	n, err := io.Copy(digest, io.LimitReader(from, int64(min(limit, math.MaxInt64))))
	return uint64(n), digest.Sum(nil), err
}

func patternSum(size uint64) []byte {
	_, sum, _ := sumOf(&pattern{}, size)
	return sum
}

func writePattern(to io.Writer, size uint64) error {
	_, err := io.CopyN(struct{ io.Writer }{to}, &pattern{}, int64(size))
	return err
}

func serve(lib library, owner session, s stream, greet bool) error {
	if greet {
		if _, err := s.Write([]byte(greeting)); err != nil {
			return err
		}
	}
	order := make([]byte, 9)
	if _, err := io.ReadFull(s, order[:1]); err != nil {
		return err
	}
	size := uint64(math.MaxUint64)
	switch order[0] {
	case 'N', 'U', 'D':
		if _, err := io.ReadFull(s, order[1:]); err != nil {
			return err
		}
		size = binary.BigEndian.Uint64(order[1:])
	}
	switch order[0] {
	case 'E', 'N':
		if _, err := io.Copy(struct{ io.Writer }{s}, io.LimitReader(s, int64(min(size, math.MaxInt64)))); err != nil {
			return err
		}
	case 'U', 'H':
		n, sum, err := sumOf(s, size)
		if err != nil {
			return err
		}
		if _, err := s.Write(append(binary.BigEndian.AppendUint64(nil, n), sum...)); err != nil {
			return err
		}
	case 'D':
		if err := writePattern(s, size); err != nil {
			return err
		}
	case 'R':
		if lib.resets != "" {
			fmt.Fprintln(os.Stderr, "unsupported: "+lib.resets)
			os.Exit(exitUnsupported)
		}
		if err := writePattern(s, resetAfter); err != nil {
			return err
		}
		return s.Reset()
	case 'G':
		return owner.End()
	default:
		return errors.New("an unknown order")
	}
	return s.Finish()
}
