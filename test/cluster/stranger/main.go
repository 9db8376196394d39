// Command stranger is a pod of another namespace in the cluster test. It posts a forged payment to each address in its arguments,
// without a token and with the token of its own service account, and prints the responses.
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

func main() {
	client := &http.Client{Timeout: 2 * time.Minute} // a function starts from zero
	for _, argument := range os.Args[1:] {
		address, tokenFile, _ := strings.Cut(argument, "|") // URL|FILE
		token, err := os.ReadFile(tokenFile)                //nolint:gosec // the test names the file
		if err != nil {
			token = nil // without one
		}
		fmt.Printf("%s token=%t %s\n", address, len(token) > 0, post(client, address, strings.TrimSpace(string(token))))
	}
	fmt.Println("done")
	<-time.After(time.Hour) // the test reads its log, then deletes the pod
}

func post(client *http.Client, address, token string) string {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, address, strings.NewReader(os.Getenv("EVENT_DATA"))) //nolint:gosec // the test names the address
	if err != nil {
		return "error " + err.Error()
	}
	for pair := range strings.SplitSeq(os.Getenv("EVENT_HEADERS"), "\n") {
		name, value, _ := strings.Cut(pair, ": ")
		r.Header.Set(name, value)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(r) //nolint:gosec // the test names the address
	if err != nil {
		return "error " + err.Error()
	}
	defer resp.Body.Close() //nolint:errcheck // only read
	said, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
	return fmt.Sprintf("status %d %q", resp.StatusCode, said)
}
