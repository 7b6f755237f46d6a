package discover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/lockkeeper/lockkeeper/promote"
)

// verifyRounds bounds how often tags that moved bring others among the newest in one discovery.
const verifyRounds = 5

// newestBuild takes the image that was built last. Which that is only the images tell, so each is read once; from then on a
// tag is taken to point to what it pointed to. Of those that were built last, as many as the discovery limit, it is asked
// again whether they still do, unless the subscription trusts its tags.
func (r *Registry) newestBuild(ctx context.Context, src source, sub promote.ImageSubscription, f finding) (finding, error) {
	s := survey{r: r, src: src, sub: sub, known: map[string]sight{}, fresh: map[string]bool{}, gone: map[string]bool{}}
	left, err := s.readNew(ctx, f.candidates)
	if err != nil {
		return f, err
	}
	if left > 0 {
		return f, fmt.Errorf("strategy NewestBuild has to read each of the %d selected tags of %s once; still to be read are %d, with the next look; to select fewer, set allowTagsRegexes at %s",
			len(f.candidates), sub.RepoURL, left, sub.Position)
	}
	if !sub.CacheByTag {
		if err := s.verify(ctx, f.candidates); err != nil {
			return f, err
		}
	}
	total := len(f.candidates)
	ranked, dropped := s.rank(f.candidates)
	f.candidates, f.dropped = ranked, append(dropped, f.dropped...)
	if len(ranked) == 0 {
		return f, s.explainNone(total, dropped)
	}
	if tag := ranked[0]; s.gone[tag] {
		return f, listedOnly(promote.ErrNotFound, src, tag)
	}
	known, err := r.describe(ctx, src, pointed{record: record{Digest: s.known[ranked[0]].name()}}, s.want())
	if err != nil {
		return f, listedOnly(err, src, ranked[0])
	}
	r.records.take(ctx, known)
	f.image = made(sub, ranked[0], known)
	return f, nil
}

// survey is one look at the images of a repository.
type survey struct {
	r   *Registry
	src source
	sub promote.ImageSubscription

	mu    sync.Mutex
	known map[string]sight // by tag
	fresh map[string]bool  // tags that the registry was asked about just now
	gone  map[string]bool  // of them, those that are listed only
}

func (s *survey) want() want { return want{created: true, platform: s.sub.Platform != ""} }

// readNew reads the images of the tags that were never looked at, so many as one discovery may, and returns how many are
// left.
func (s *survey) readNew(ctx context.Context, tags []string) (left int, err error) {
	var unread []string
	for _, tag := range tags {
		if known, ok := s.recall(tag); ok {
			s.known[tag] = known
		} else {
			unread = append(unread, tag)
		}
	}
	now := unread[:min(len(unread), s.r.config.NewBuilds)]
	return len(unread) - len(now), s.look(ctx, now)
}

// recall returns what is known of the image that a tag pointed to, if that is everything that is wanted.
func (s *survey) recall(tag string) (sight, bool) {
	known := s.r.seen.sight(s.src, tag)
	if known.covers(s.want()) {
		return known, true
	}
	read, ok := s.r.records.get(known.name())
	if !ok || !read.covers(s.want()) {
		return sight{}, false
	}
	return s.note(tag, read), true
}

// note remembers so much of an image as its rank needs, unless more may become known of it.
func (s *survey) note(tag string, read record) sight {
	known := read.sight()
	if !read.gaps {
		s.r.seen.learn(s.src, tag, known)
	}
	return known
}

// sight asks what a tag points to, and reads the image if it is not known.
func (s *survey) sight(ctx context.Context, tag string) (sight, error) {
	at, err := s.r.sharedPoint(ctx, s.src, tag)
	if err != nil {
		return sight{}, err
	}
	if known := s.r.seen.sight(s.src, tag); known.name() == at.record.Digest && known.covers(s.want()) {
		return known, nil
	}
	read, err := s.r.describe(ctx, s.src, at, s.want())
	if err != nil {
		return sight{}, err
	}
	return s.note(tag, read), nil
}

// look asks about tags, many at a time but no more than all who ask this registry may together.
func (s *survey) look(ctx context.Context, tags []string) error {
	g := s.r.gate(s.src.repo.RegistryStr())
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(jobs)
	for _, tag := range tags {
		group.Go(func() error {
			if err := g.enter(ctx); err != nil {
				return err
			}
			defer g.leave()
			known, err := s.sight(ctx, tag)
			if err != nil && !errors.Is(err, promote.ErrNotFound) {
				return err
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.fresh[tag], s.gone[tag] = true, err != nil
			if err == nil {
				s.known[tag] = known
			}
			return nil
		})
	}
	return group.Wait()
}

// verify asks whether the tags of the newest builds still point to them, and again when that brought others among them.
func (s *survey) verify(ctx context.Context, tags []string) error {
	limit := s.sub.DiscoveryLimit
	if limit <= 0 {
		limit = defaultLimit
	}
	for range verifyRounds {
		ranked, _ := s.rank(tags)
		newest := slices.DeleteFunc(slices.Clone(ranked[:min(len(ranked), limit)]), func(tag string) bool { return s.fresh[tag] })
		if len(newest) == 0 {
			return nil
		}
		if err := s.look(ctx, newest); err != nil {
			return err
		}
	}
	return nil
}

// rank orders the tags of which is known when their image was built, the last first, and drops the others and those for
// another platform.
func (s *survey) rank(tags []string) (ranked []string, dropped []Dropped) {
	for _, tag := range tags {
		known, ok := s.known[tag]
		reason := ""
		switch {
		case !ok:
			reason = "is listed by the registry but has no manifest"
		case known.built == 0:
			reason = known.misfit("")
			if reason == "" {
				reason = "does not say when it was built"
			}
		default:
			reason = known.misfit(s.sub.Platform)
		}
		if reason != "" {
			dropped = append(dropped, Dropped{tag, reason, ruleImage})
			continue
		}
		ranked = append(ranked, tag)
	}
	slices.SortFunc(ranked, func(a, b string) int {
		return cmp.Or(cmp.Compare(s.known[b].built, s.known[a].built), strings.Compare(b, a))
	})
	return ranked, dropped
}

// explainNone says why none of the selected tags can be the newest build.
func (s *survey) explainNone(total int, dropped []Dropped) error {
	var others []string
	for _, d := range dropped {
		known, ok := s.known[d.Tag]
		if ok && known.built != 0 {
			others = append(others, known.platforms()...)
		}
	}
	if len(others) > 0 {
		return noneFor(s.sub, total, others)
	}
	return fmt.Errorf("none of the %d selected tags of %s says when it was built (reproducible builds write 1970-01-01 or the like), so strategy NewestBuild cannot tell the newest; "+
		"set the annotation org.opencontainers.image.created when building, or choose SemVer or Lexical at %s", total, s.sub.RepoURL, s.sub.Position)
}
