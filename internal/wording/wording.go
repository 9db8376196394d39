// Package wording has the texts for users in their languages: a catalogue of messages for each language, and formats of
// times and amounts.
//
// A language is one file in catalogue/, named by its BCP 47 tag, with the same keys and placeholders as the others
// (tested). Values replace {placeholders} unchanged: a caller that writes HTML must escape the result.
package wording

import (
	"embed"
	"encoding/json"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // a container has no time zone files

	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

//go:embed catalogue
var files embed.FS

// fallback is used when the requested language has no catalogue.
const fallback = "en"

// Catalogues are all languages. They are safe for concurrent use.
type Catalogues struct {
	all     []*Words // the fallback first
	matcher language.Matcher
}

// Words are the messages of one language.
type Words struct {
	Language string // BCP 47, as HTML's lang has it
	messages map[string]string
	printer  *message.Printer
}

// Load reads the embedded catalogues.
func Load() (*Catalogues, error) {
	names, err := files.ReadDir("catalogue")
	if err != nil {
		return nil, fmt.Errorf("read catalogues: %w", err)
	}
	c := &Catalogues{}
	var tags []language.Tag
	for _, name := range names {
		w, err := load(name.Name())
		if err != nil {
			return nil, fmt.Errorf("read catalogue %s: %w", name.Name(), err)
		}
		tag := language.Make(w.Language)
		if w.Language == fallback { // the matcher falls back to the first
			c.all, tags = append([]*Words{w}, c.all...), append([]language.Tag{tag}, tags...)
			continue
		}
		c.all, tags = append(c.all, w), append(tags, tag)
	}
	c.matcher = language.NewMatcher(tags)
	return c, nil
}

func load(name string) (*Words, error) {
	raw, err := files.ReadFile("catalogue/" + name)
	if err != nil {
		return nil, err
	}
	w := &Words{Language: strings.TrimSuffix(name, path.Ext(name))}
	tag, err := language.Parse(w.Language)
	if err != nil {
		return nil, err
	}
	w.printer = message.NewPrinter(tag)
	return w, json.Unmarshal(raw, &w.messages)
}

// Languages returns the tags of all catalogues.
func (c *Catalogues) Languages() []string {
	tags := make([]string, len(c.all))
	for i, w := range c.all {
		tags[i] = w.Language
	}
	return tags
}

// For returns the words that match a BCP 47 tag best, for example the words of id for id-ID.
func (c *Catalogues) For(locale string) *Words {
	tag, err := language.Parse(locale)
	if err != nil {
		return c.all[0]
	}
	_, i, _ := c.matcher.Match(tag)
	return c.all[i]
}

// Accepted returns the words that match an Accept-Language header (RFC 9110, section 12.5.4) best.
func (c *Catalogues) Accepted(header string) *Words {
	tags, _, err := language.ParseAcceptLanguage(header)
	if err != nil {
		return c.all[0]
	}
	_, i, _ := c.matcher.Match(tags...)
	return c.all[i]
}

// Say returns a message with values in place of its placeholders, which come in pairs: "name", "Ayu".
func (w *Words) Say(key string, values ...string) string {
	text, ok := w.messages[key]
	if !ok {
		return key // visible at once, and found by the test of all used messages
	}
	pairs := make([]string, 0, len(values))
	for i := 0; i+1 < len(values); i += 2 {
		pairs = append(pairs, "{"+values[i]+"}", values[i+1])
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// Messages returns the messages by their keys.
func (w *Words) Messages() map[string]string { return w.messages }

// Time formats t in the IANA time zone, or in UTC if the zone is unknown.
func (w *Words) Time(t time.Time, zone string) string {
	place, err := time.LoadLocation(zone)
	if err != nil || zone == "Local" {
		place = time.UTC
	}
	t = t.In(place)
	return w.Say("time", "day", strconv.Itoa(t.Day()), "month", strings.Fields(w.Say("months"))[t.Month()-1],
		"year", strconv.Itoa(t.Year()), "hour", t.Format("15"), "minute", t.Format("04"), "zone", zoneName(t))
}

// zoneName returns the zone's abbreviation, such as WIB, or its offset if it has none.
func zoneName(t time.Time) string {
	name, _ := t.Zone()
	if strings.HasPrefix(name, "+") || strings.HasPrefix(name, "-") {
		return "UTC" + t.Format("-07:00")
	}
	return name
}
