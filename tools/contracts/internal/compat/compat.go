// Package compat compares contracts with the last released ones and finds the changes that break a user of them.
package compat

import (
	"fmt"
	"slices"
	"time"
)

// The documents of a contract, in its folder.
const (
	openAPIFile  = "openapi.yaml"
	asyncAPIFile = "asyncapi-orders-events.yaml"
	framesFile   = "sse-frames.schema.json"
	proseFile    = "sse-contract.md"
)

// notice is how long a deprecated part is served after the release that deprecates it, in days: docs/contract-policy.md.
const notice = 180

// Breaking returns the changes from the contracts in the folder old to those in the folder new that break a user of old, one
// line each. Parts that old marks as deprecated may be gone once their x-sunset is today or earlier.
func Breaking(old, new string, today time.Time) ([]string, error) {
	var broken []string
	for _, compare := range []func(old, new string, today time.Time) ([]string, error){openAPI, asyncAPI, frames} {
		found, err := compare(old, new, today)
		if err != nil {
			return nil, err
		}
		slices.Sort(found)
		broken = append(broken, slices.Compact(found)...)
	}
	return broken, nil
}

// asyncAPI compares the channels, their messages, and the messages' headers and payloads. Programs of
// other teams publish events and read events: a change must break neither.
func asyncAPI(old, new string, today time.Time) ([]string, error) {
	c := comparison{today: today, receive: true}
	from, err := parse(old, asyncAPIFile)
	if err != nil {
		return nil, err
	}
	to, err := parse(new, asyncAPIFile)
	if err != nil {
		return nil, err
	}
	for name, channel := range object(from.tree, "channels") {
		path := asyncAPIFile + ": channel " + name
		now, ok := object(to.tree, "channels")[name].(map[string]any)
		if !ok {
			c.removed(path, channel)
			continue
		}
		was := channel.(map[string]any) //nolint:forcetypeassert // the document has been parsed by the AsyncAPI parser
		c.same(path+": address", was["address"], now["address"])
		c.same(path+": bindings", was["bindings"], now["bindings"])
		messages, err := resolved(to, object(now, "messages"))
		if err != nil {
			return nil, err
		}
		released, err := resolved(from, object(was, "messages"))
		if err != nil {
			return nil, err
		}
		for message, was := range released {
			path := asyncAPIFile + ": message " + message
			now, ok := messages[message].(map[string]any)
			if !ok {
				c.removed(path, was)
				continue
			}
			was := was.(map[string]any) //nolint:forcetypeassert // as above
			c.same(path+": contentType", was["contentType"], now["contentType"])
			c.same(path+": bindings", was["bindings"], now["bindings"])
			c.schema(path+": headers", was["headers"], now["headers"])
			c.schema(path+": payload", was["payload"], now["payload"])
		}
	}
	return c.found, nil
}

// frames compares the frames that the gateway sends. Clients only read them.
func frames(old, new string, today time.Time) ([]string, error) {
	c := comparison{today: today}
	from, err := parse(old, framesFile)
	if err != nil {
		return nil, err
	}
	to, err := parse(new, framesFile)
	if err != nil {
		return nil, err
	}
	was, err := resolved(from, object(from.tree, "definitions"))
	if err != nil {
		return nil, err
	}
	now, err := resolved(to, object(to.tree, "definitions"))
	if err != nil {
		return nil, err
	}
	for name := range was {
		if now[name] == nil {
			c.removed(fmt.Sprintf("%s: %s", framesFile, name), was[name])
			continue
		}
		c.schema(fmt.Sprintf("%s: %s", framesFile, name), was[name], now[name])
	}
	return c.found, nil
}

// resolved returns the nodes without references and annotations, by name.
func resolved(d *document, nodes map[string]any) (map[string]any, error) {
	plain := map[string]any{}
	for name, node := range nodes {
		n, err := d.plain(node, nil)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", d.file, name, err)
		}
		plain[name] = n
	}
	return plain, nil
}
