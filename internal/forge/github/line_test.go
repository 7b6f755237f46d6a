package github

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lockkeeper/lockkeeper/internal/forge"
	"github.com/lockkeeper/lockkeeper/promote"
)

// queueing is a caller on the clock of a bubble.
func queueing() *caller {
	return &caller{endpoint: endpoint{rest: &url.URL{Host: "github.com"}, graphql: "graphql"}, wire: forge.Connection{}.Ready()}
}

// mutation is a write over GraphQL.
func mutation() request {
	return request{name: "mutation", method: "POST", path: "graphql", priority: mergePriority}
}

// TestWritesGoByImportanceAndThenInTurn: one is under way, the others wait for its answer.
func TestWritesGoByImportanceAndThenInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, c := NewLimits(), queueing()
		done, err := l.admit(t.Context(), c, write(commentPriority))
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		var all sync.WaitGroup
		for _, sent := range []struct {
			name string
			as   request
		}{
			{"first comment", write(commentPriority)},
			{"first merge", write(mergePriority)},
			{"second comment", write(commentPriority)},
			{"first status", write(statusPriority)},
			{"second merge", mutation()},
			{"second status", write(statusPriority)},
		} {
			all.Go(func() {
				leave, err := l.admit(t.Context(), c, sent.as)
				if err != nil {
					t.Error(err)
					return
				}
				got = append(got, sent.name) // One at a time has the turn.
				leave()
			})
			synctest.Wait()
		}
		if reading, err := l.admit(t.Context(), c, read()); err != nil {
			t.Errorf("a read does not wait: %v", err)
		} else {
			reading()
		}
		if len(got) != 0 {
			t.Errorf("at once with another: %q", got)
		}
		done()
		all.Wait()
		// The other API has a lane of its own, whose first competes with the first of this one.
		ordered := []string{}
		for _, name := range got {
			if name != "second merge" {
				ordered = append(ordered, name)
			}
		}
		want := []string{"first status", "second status", "first merge", "first comment", "second comment"}
		if diff := cmp.Diff(want, ordered); diff != "" || len(got) != 6 {
			t.Errorf("%q: %s", got, diff)
		}
		isEmpty(t, l)
	})
}

// isEmpty checks that nothing is left behind of requests that were answered or given up.
func isEmpty(t *testing.T, l *Limits) {
	t.Helper()
	if l.line.reading != 0 || l.line.writing || len(l.line.waiting) != 0 {
		t.Errorf("%d read, writing: %t, %d wait", l.line.reading, l.line.writing, len(l.line.waiting))
	}
}

// TestNeverMoreThanAHundredAtOnce: GitHub refuses the 101st, whichever API it is for.
func TestNeverMoreThanAHundredAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, c := NewLimits(), queueing()
		query := request{name: "query", method: "POST", path: "graphql", read: true}
		var mu sync.Mutex
		var all sync.WaitGroup
		under, most := 0, 0
		count := func(by int) {
			mu.Lock()
			defer mu.Unlock()
			under += by
			most = max(most, under)
		}
		for i := range 300 {
			all.Go(func() {
				sent := read()
				if i%2 == 0 {
					sent = query
				}
				leave, err := l.admit(t.Context(), c, sent)
				if err != nil {
					t.Error(err)
					return
				}
				count(1)
				time.Sleep(time.Second) // GitHub thinks.
				count(-1)
				leave()
			})
		}
		synctest.Wait()
		leave, err := l.admit(t.Context(), c, write(statusPriority))
		if err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		if under != maxReading {
			t.Errorf("%d are under way beside a status", under)
		}
		mu.Unlock()
		leave()
		all.Wait()
		if most != maxReading {
			t.Errorf("%d at once", most)
		}
		isEmpty(t, l)
	})
}

func TestWhoDoesNotWaitAnyLongerLeavesTheLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, c := NewLimits(), queueing()
		done, err := l.admit(t.Context(), c, write(statusPriority))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := l.admit(ctx, c, write(statusPriority)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		var behind sync.WaitGroup
		behind.Go(func() {
			leave, err := l.admit(t.Context(), c, write(commentPriority))
			if err != nil {
				t.Error(err)
				return
			}
			leave()
		})
		synctest.Wait()
		done()
		behind.Wait()
		isEmpty(t, l)
		// A wait for a window ends like that, too.
		l = NewLimits()
		for spend(l, time.Now().Add(-55*time.Second), coreResource, write(statusPriority)) == 0 {
		}
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := l.admit(ctx, c, write(statusPriority)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		isEmpty(t, l)
	})
}

// TestWaitingForAWindowKeepsTheOrder: who sleeps until there is room is not overtaken by one who comes at that moment.
func TestWaitingForAWindowKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, c := NewLimits(), queueing()
		started := time.Now()
		for spend(l, started, coreResource, write(commentPriority)) == 0 {
		}
		time.Sleep(52 * time.Second)
		var got []int
		var all sync.WaitGroup
		enter := func(i int) {
			all.Go(func() {
				leave, err := l.admit(t.Context(), c, write(commentPriority))
				if err != nil {
					t.Error(err)
					return
				}
				got = append(got, i)
				leave()
			})
			synctest.Wait()
		}
		for i := range 5 {
			enter(i)
		}
		time.Sleep(8 * time.Second) // Now there is room, and the others sleep a little longer.
		for i := range 5 {
			enter(5 + i)
		}
		all.Wait()
		if diff := cmp.Diff([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, got); diff != "" {
			t.Error(diff)
		}
		isEmpty(t, l)
	})
}

func TestPointsOfAMinute(t *testing.T) {
	query := request{name: "query", method: "POST", path: "graphql", read: true}
	token := request{name: "make a token", method: "POST", read: true}
	for _, test := range []struct {
		name     string
		resource string
		sent     request
		want     int
		left     int
	}{
		{"reads leave a tenth of 900", coreResource, read(), 810, 90},
		{"a request that only reads costs what its method costs", coreResource, token, 162, 90},
		{"queries leave a tenth of 2,000", graphqlResource, query, 1800, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := NewLimits()
			sent := 0
			for spend(l, testNow, test.resource, test.sent) == 0 {
				sent++
			}
			if sent != test.want || l.pointsLeft(testNow, test.resource) != test.left {
				t.Errorf("sent %d, left %d", sent, l.pointsLeft(testNow, test.resource))
			}
			if wait := waits(l, testNow.Add(20*time.Second), test.resource, test.sent); wait != 40*time.Second {
				t.Errorf("waits %v", wait)
			}
			if wait := spend(l, testNow, test.resource, write(statusPriority)); wait != 0 {
				t.Errorf("a status waits %v", wait)
			}
			other := map[string]string{coreResource: graphqlResource, graphqlResource: coreResource}[test.resource]
			if wait := spend(l, testNow, other, read()); wait != 0 {
				t.Errorf("the other API waits %v", wait)
			}
			if wait := spend(l, testNow.Add(time.Minute), test.resource, test.sent); wait != 0 {
				t.Errorf("after a minute it waits %v", wait)
			}
		})
	}
}

func TestWhatARequestCosts(t *testing.T) {
	for _, test := range []struct {
		method   string
		resource string
		read     bool
		want     int
	}{
		{"GET", coreResource, false, 1},
		{"HEAD", coreResource, false, 1},
		{"OPTIONS", coreResource, false, 1},
		{"POST", coreResource, false, 5},
		{"PATCH", coreResource, false, 5},
		{"PUT", coreResource, false, 5},
		{"DELETE", coreResource, false, 5},
		{"POST", coreResource, true, 5},
		{"POST", graphqlResource, true, 1},
		{"POST", graphqlResource, false, 5},
	} {
		if got := (request{method: test.method, read: test.read}).points(test.resource); got != test.want {
			t.Errorf("%s of %s: %d points, want %d", test.method, test.resource, got, test.want)
		}
	}
}

// TestARequestCountsFromItsAnswerOn: when GitHub received it is not known, only that it was before.
func TestARequestCountsFromItsAnswerOn(t *testing.T) {
	l := NewLimits()
	w := l.enter(write(statusPriority), coreResource)
	if _, admitted := l.try(testNow, w); !admitted {
		t.Fatal("not admitted")
	}
	l.leave(testNow.Add(30*time.Second), w)
	for at, want := range map[time.Duration]int{0: 79, 89 * time.Second: 79, 90 * time.Second: 80} {
		if got := l.contentLeft(testNow.Add(at)); got != want {
			t.Errorf("after %v: %d left", at, got)
		}
	}
}

// TestALongLineIsLeftToTheCaller: what stands behind many others is told so at once.
func TestALongLineIsLeftToTheCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, c := NewLimits(), queueing()
		done, err := l.admit(t.Context(), c, write(statusPriority))
		if err != nil {
			t.Fatal(err)
		}
		ended := make([]error, 100)
		var all sync.WaitGroup
		for i := range ended {
			all.Go(func() {
				leave, err := l.admit(t.Context(), c, write(statusPriority))
				if ended[i] = err; err == nil {
					leave()
				}
			})
		}
		synctest.Wait()
		done()
		all.Wait()
		counts := map[string]int{}
		for _, err := range ended {
			counts[fmt.Sprint(errors.Is(err, promote.ErrLimited), err != nil)]++
		}
		if diff := cmp.Diff(map[string]int{"false false": 79, "true true": 21}, counts); diff != "" {
			t.Error(diff)
		}
		isEmpty(t, l)
	})
}
