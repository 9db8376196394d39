//go:build !linux

package process

import "syscall"

// dieWithParent does nothing: this kernel has no parent-death signal, so the children of a killed parent go on.
func dieWithParent(*syscall.SysProcAttr) {}
