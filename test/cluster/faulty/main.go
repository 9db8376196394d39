// Command faulty is a bad release for the cluster test: it gets ready and then fails every event.
package main

import (
	"context"
	"net/http"

	"orderbell/internal/service"
)

func main() { service.Main("faulty", run) }

func run(ctx context.Context, s *service.Service) error {
	return s.Serve(ctx, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "this release is broken", http.StatusInternalServerError)
	}), nil)
}
