//go:build !linux

package embedded

import "syscall"

// dieWithParent does nothing: this kernel has no parent death signal, so only the guard ends the server.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}
