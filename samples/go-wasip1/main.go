// A Go module as a library: `_initialize` starts the runtime, then the exported functions are called one by one.
package main

import (
	"fmt"
	"os"
)

//go:wasmexport gcd
func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

//go:wasmexport fibonacci
func fibonacci(n int32) int64 {
	var a, b int64 = 0, 1
	for range n {
		a, b = b, a+b
	}
	return a
}

//go:wasmexport mean
func mean(a, b float64) float64 {
	return a + (b-a)/2
}

//go:wasmexport report
func report(code int32) int32 {
	fmt.Printf("report %d with %d environment variables\n", code, len(os.Environ()))
	return code
}

//go:wasmexport fail
func fail() {
	panic("asked to fail")
}

func main() {}
