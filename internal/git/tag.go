package git

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
)

const (
	tagPrefix = "refs/tags/"
	tagBatch  = 1000 // tags asked for in one request
)

// Tag is where a tag points to.
type Tag struct {
	Name   string // short, without refs/tags/
	Object string // id of the tag object of an annotated tag; "" for a lightweight one
	Commit string // id of what the tag names in the end, a commit as a rule
}

// Tags returns the tags, sorted by name.
func (r Refs) Tags() []Tag {
	var out []Tag
	for ref, commit := range r.Commits {
		if name, ok := strings.CutPrefix(ref, tagPrefix); ok {
			out = append(out, Tag{Name: name, Object: r.Objects[ref], Commit: commit})
		}
	}
	slices.SortFunc(out, func(a, b Tag) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// TagInfo is a tag with what it says of itself and the commit it names.
type TagInfo struct {
	Tag
	Tagger  Stamp      // zero for a lightweight tag
	Message string     // of the tag, as stored; "" for a lightweight tag
	Head    CommitInfo // zero when the tag names something that is not a commit
}

// TagInfos reads tags, in the order given. Those that are not known are fetched, 1,000 in one request, without files where
// the server can leave them out. A tag that is gone meanwhile may be ErrNotFound.
func (r *Repository) TagInfos(ctx context.Context, tags []Tag) ([]TagInfo, error) {
	out := make([]TagInfo, 0, len(tags))
	for part := range slices.Chunk(tags, tagBatch) {
		missing, err := r.unknownTags(part)
		if err != nil {
			return nil, err
		}
		if len(missing) > 0 {
			if err := r.fetchHistory(ctx, missing, 1); err != nil {
				return nil, fmt.Errorf("fetch %d tags: %w", len(missing), err)
			}
		}
		for _, tag := range part {
			info, err := r.tagInfo(tag)
			if err != nil {
				return nil, err
			}
			out = append(out, info)
		}
	}
	return out, nil
}

// unknownTags lists the objects to ask for: the tag objects, which bring their commits, and the commits of the others.
func (r *Repository) unknownTags(tags []Tag) ([]oid, error) {
	var missing []oid
	seen := map[oid]bool{}
	for _, tag := range tags {
		commit, err := parseID(tag.Commit)
		if err != nil {
			return nil, fmt.Errorf("tag %q: %w", oneLine(tag.Name, 80), err)
		}
		want := commit
		if tag.Object != "" {
			if want, err = parseID(tag.Object); err != nil {
				return nil, fmt.Errorf("tag %q: %w", oneLine(tag.Name, 80), err)
			}
		}
		if !seen[want] && (!r.store.has(want) || !r.store.has(commit)) {
			seen[want] = true
			missing = append(missing, want)
		}
	}
	return missing, nil
}

func (r *Repository) tagInfo(tag Tag) (TagInfo, error) {
	info := TagInfo{Tag: tag}
	if tag.Object != "" {
		id, err := parseID(tag.Object)
		if err != nil {
			return info, err
		}
		k, raw, ok := r.store.get(id)
		if !ok {
			return info, fmt.Errorf("tag %q: server did not send it: %w", oneLine(tag.Name, 80), ErrNotFound)
		}
		if k == kindTag {
			info.Tagger, info.Message = parseTag(raw)
		}
	}
	id, err := parseID(tag.Commit)
	if err != nil {
		return info, err
	}
	if k, raw, ok := r.store.get(id); ok && k == kindCommit {
		info.Head, err = parseCommit(id, raw)
	}
	return info, err
}

// parseTag reads who made a tag, when, and its message without a signature. What is malformed stays zero, because old
// repositories hold such tags.
func parseTag(raw []byte) (tagger Stamp, message string) {
	head, body, _ := bytes.Cut(raw, []byte("\n\n"))
	for line := range strings.SplitSeq(string(head), "\n") {
		if value, ok := strings.CutPrefix(line, "tagger "); ok {
			tagger = parseStamp(value)
		}
	}
	if i := bytes.Index(body, []byte("-----BEGIN ")); i == 0 || i > 0 && body[i-1] == '\n' {
		body = body[:i]
	}
	return tagger, string(body)
}
