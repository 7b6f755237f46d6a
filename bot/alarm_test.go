package bot

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAlarm(t *testing.T) {
	type call struct {
		at    time.Duration
		name  string
		after time.Duration
	}
	for _, test := range []struct {
		name  string
		calls []call
		want  map[string][]time.Duration
	}{
		{"rings once", []call{{0, "a", 5 * time.Second}}, map[string][]time.Duration{"a": {5 * time.Second}}},
		{"the earliest wins when it is set first", []call{{0, "a", 5 * time.Second}, {time.Second, "a", time.Minute}}, map[string][]time.Duration{"a": {5 * time.Second}}},
		{"the earliest wins when it is set last", []call{{0, "a", time.Minute}, {time.Second, "a", time.Second}}, map[string][]time.Duration{"a": {2 * time.Second}}},
		{"rings again when it is set again", []call{{0, "a", time.Second}, {2 * time.Second, "a", time.Second}}, map[string][]time.Duration{"a": {time.Second, 3 * time.Second}}},
		{"names are independent", []call{{0, "a", 2 * time.Second}, {0, "b", time.Second}}, map[string][]time.Duration{"a": {2 * time.Second}, "b": {time.Second}}},
		{"a pause of nothing rings at once", []call{{0, "a", 0}, {time.Second, "b", -time.Hour}}, map[string][]time.Duration{"a": {0}, "b": {time.Second}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				var mu sync.Mutex
				got := map[string][]time.Duration{}
				a := newAlarm(func(name string) {
					mu.Lock()
					defer mu.Unlock()
					got[name] = append(got[name], time.Since(began))
				})
				for _, call := range test.calls {
					time.Sleep(call.at - time.Since(began))
					synctest.Wait()
					a.set(call.name, call.after)
				}
				time.Sleep(time.Hour)
				synctest.Wait()
				a.stop()
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestAlarmStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rings, release := 0, make(chan struct{})
		a := newAlarm(func(string) {
			rings++
			<-release
		})
		a.set("a", time.Second)
		a.set("b", time.Minute)
		time.Sleep(2 * time.Second)
		stopped := make(chan struct{})
		go func() {
			a.stop()
			close(stopped)
		}()
		synctest.Wait()
		select {
		case <-stopped:
			t.Error("stop did not wait for the alarm that rings")
		default:
		}
		close(release)
		<-stopped
		a.set("c", time.Second)
		time.Sleep(time.Hour)
		synctest.Wait()
		if rings != 1 {
			t.Errorf("%d rings, want 1", rings)
		}
	})
}

func TestEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 25*time.Minute)
		defer cancel()
		began := time.Now()
		var got []time.Duration
		every(ctx, 10*time.Minute, func(context.Context) { got = append(got, time.Since(began)) })
		if diff := cmp.Diff([]time.Duration{0, 10 * time.Minute, 20 * time.Minute}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if took := time.Since(began); took != 25*time.Minute {
			t.Errorf("ended after %s, want 25m", took)
		}
	})
}
