// SPDX-License-Identifier: Apache-2.0

// goserver is a program worth profiling: it computes, allocates, waits for locks and channels, and serves net/http/pprof.
//
//	goserver HOST:PORT
package main

import (
	"crypto/sha256"
	"log"
	"net/http"
	_ "net/http/pprof"
	"os"
	"runtime"
	"sync"
	"time"
)

var (
	kept [64][]byte // what the heap profile calls in use
	lock sync.Mutex
	sum  [32]byte
)

//go:noinline
func burnCPU() {
	for i := 0; i < 2000; i++ {
		sum = sha256.Sum256(sum[:])
	}
}

//go:noinline
func allocate(i int) { kept[i%len(kept)] = make([]byte, 64<<10) }

//go:noinline
func holdLock() {
	lock.Lock()
	time.Sleep(time.Millisecond)
	lock.Unlock()
}

func main() {
	runtime.MemProfileRate = 4096
	runtime.SetMutexProfileFraction(1)
	runtime.SetBlockProfileRate(1)
	for i := 0; i < 4; i++ {
		go func() {
			for {
				holdLock()
			}
		}()
	}
	go func() {
		for i := 0; ; i++ {
			burnCPU()
			allocate(i)
			time.Sleep(2 * time.Millisecond)
		}
	}()
	log.Fatal(http.ListenAndServe(os.Args[1], nil))
}
