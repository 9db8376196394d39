// Command module fetches one module of a list and prints its folder.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	"orderbell/tools/k8s/internal/pinned"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: module MODULES.TXT NAME")
		os.Exit(2)
	}
	dir, err := fetch(context.Background(), os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintln(os.Stderr, "module:", err)
		os.Exit(1)
	}
	fmt.Println(dir)
}

func fetch(ctx context.Context, list, name string) (string, error) {
	modules, err := pinned.Read(list)
	if err != nil {
		return "", err
	}
	for _, m := range modules {
		if strings.HasPrefix(m.Name, name+"@") {
			return m.Fetch(ctx)
		}
	}
	return "", fmt.Errorf("%s is not in %s", name, list)
}
