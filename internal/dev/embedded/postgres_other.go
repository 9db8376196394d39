//go:build !linux

package embedded

import "syscall"

// dieWithParent is the guard's work alone where the kernel knows no parent death signal.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}
