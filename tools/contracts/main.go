// Compares the contracts with the last released ones, and cuts releases of them.
//
// usage: contracts check DIR           fails on a change that breaks a user of the last released contract
//
//	contracts release DIR VERSION keeps DIR's contracts as released/VERSION
//
// DIR is the folder of the contracts, with the releases in released/. docs/contract-policy.md has the rules.
package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"orderbell/tools/contracts/internal/compat"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "contracts:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 2 && args[0] == "check":
		return check(args[1])
	case len(args) == 3 && args[0] == "release":
		return compat.Release(args[1], args[2], time.Now())
	}
	return errors.New("usage: contracts check DIR | contracts release DIR VERSION")
}

func check(dir string) error {
	if err := compat.Sealed(dir); err != nil {
		return err
	}
	last, err := compat.LastRelease(dir)
	if err != nil {
		return err
	}
	broken, err := compat.Breaking(last.Dir, dir, time.Now())
	if err != nil {
		return err
	}
	for _, b := range broken {
		fmt.Fprintln(os.Stderr, b)
	}
	if len(broken) > 0 {
		return fmt.Errorf("%d changes break users of the released contract %s: keep what is released and add beside it "+
			"(docs/contract-policy.md)", len(broken), last.Version)
	}
	fmt.Printf("contracts: users of the released contract %s are served\n", last.Version)
	return nil
}
