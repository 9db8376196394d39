//go:build !linux

package process

import "syscall"

// dieWithParent does nothing where the kernel has no parent-death signal: there a killed parent leaves its children.
func dieWithParent(*syscall.SysProcAttr) {}
