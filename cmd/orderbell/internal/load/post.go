package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/google/uuid"
)

// post sends one request and returns the order's id. Its error is the reason for [OrderReport.Refused].
func (r *orderRun) post(ctx context.Context, tenant, id, path, body string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.Origin+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return "", err
	}
	request.Header.Set("Authorization", "Bearer "+r.tokens[tenant])
	request.Header.Set("Idempotency-Key", uuid.NewString())
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := r.client.Do(request)
	if err != nil {
		return "", errors.New("no answer")
	}
	defer func() { _ = response.Body.Close() }() // it was read
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return "", errors.New("no answer")
	}
	var content struct {
		OrderID string `json:"order_id"`
		Limit   string `json:"limit"`
	}
	_ = json.Unmarshal(answer, &content) // the status decides whether it must be one
	switch {
	case response.StatusCode/100 != 2:
		return "", errors.New(strings.TrimSpace(response.Status + " " + content.Limit))
	case id == "" && content.OrderID == "":
		return "", errors.New("an answer without order_id")
	case id != "":
		return id, nil
	}
	return content.OrderID, nil
}
