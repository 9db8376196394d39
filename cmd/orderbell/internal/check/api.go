package check

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"orderbell/internal/order"
	"orderbell/internal/paths"
)

// api calls the HTTP API as the front end does.
type api struct {
	origin string
	token  string
}

// apiOrder is what the check looks at in an order of the API.
type apiOrder struct {
	ID       string       `json:"order_id"`
	TenantID string       `json:"tenant_id"`
	Status   order.Status `json:"status"`
	Version  int64        `json:"version"`
	Amount   int64        `json:"total_amount"`
}

func (a *api) post(ctx context.Context, path string, body any) (apiOrder, error) {
	var sent io.Reader
	if body != nil {
		encoded, err := json.Marshal(body)
		if err != nil {
			return apiOrder{}, fmt.Errorf("POST %s: %w", path, err)
		}
		sent = bytes.NewReader(encoded)
	}
	status, _, content, err := a.call(ctx, http.MethodPost, path, sent, "")
	if err != nil {
		return apiOrder{}, err
	}
	if status != http.StatusOK && status != http.StatusCreated {
		return apiOrder{}, fmt.Errorf("POST %s answers %d: %s", path, status, content)
	}
	var o apiOrder
	if err := json.Unmarshal(content, &o); err != nil {
		return apiOrder{}, fmt.Errorf("POST %s: %w", path, err)
	}
	return o, nil
}

// snapshot returns the first page of the order list, and checks that its ETag saves sending it again.
func (a *api) snapshot(ctx context.Context) ([]apiOrder, error) {
	status, etag, content, err := a.call(ctx, http.MethodGet, paths.Snapshot, nil, "")
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, fmt.Errorf("GET %s answers %d: %s", paths.Snapshot, status, content)
	}
	var page struct {
		Orders []apiOrder `json:"orders"`
	}
	if err := json.Unmarshal(content, &page); err != nil {
		return nil, fmt.Errorf("GET %s: %w", paths.Snapshot, err)
	}
	status, _, _, err = a.call(ctx, http.MethodGet, paths.Snapshot, nil, etag)
	if err == nil && status != http.StatusNotModified {
		err = fmt.Errorf("GET %s with its ETag answers %d, want 304", paths.Snapshot, status)
	}
	return page.Orders, err
}

func (a *api) call(ctx context.Context, method, path string, body io.Reader, etag string) (status int, tag string, content []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, a.origin+path, body)
	if err != nil {
		return 0, "", nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	content, err = io.ReadAll(resp.Body)
	if err != nil {
		return 0, "", nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	return resp.StatusCode, resp.Header.Get("ETag"), content, nil
}
