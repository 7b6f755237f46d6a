package promote

import (
	"encoding/json"
	"testing"
)

func TestActions(t *testing.T) {
	f, p := version("1.0.1"), promotion(dev, 2, "1.0.1", inChange)
	hold := Hold{Stage: dev, By: "ann"}
	for _, c := range []struct {
		action Action
		text   string
		key    string
	}{
		{RecordFreight{f}, "record freight d4dd30e (1.0.1) of warehouse shop/web", "freight/shop/" + string(f.ID)},
		{
			Propose{Stage: dev, Freight: f, Promotion: p.ID, Base: mainTip, Reason: "why"},
			"propose 1.0.1 for shop/dev: why",
			"propose/shop/dev/dev.0002.d4dd30e@" + string(mainTip),
		},
		{
			OpenChange{Draft: ChangeDraft{Branch: "b", Target: "main", Head: headOne, Title: "T"}},
			"open a change from b into main: T",
			"open/b@" + string(headOne),
		},
		{RecordChange{Promotion: p, Change: 7}, "record change 7 of promotion dev.0002.d4dd30e", "change/shop/dev/dev.0002.d4dd30e=7"},
		{UpdateChange{Change: 7, Head: headOne}, "update the text of change 7", "update/7@" + string(headOne) + "=5ba93c9db0cf"},
		{
			PostStatus{Head: headOne, Status: Status{Name: "n", State: StatusFailed, Description: "d"}},
			"post status failed on 11111111: d",
			"status/n@" + string(headOne) + "=failed/3c363836cf4e",
		},
		{Unqueue{Change: 7, Head: headOne, Reason: "why"}, "keep the forge from merging change 7: why", "unqueue/7@" + string(headOne)},
		{Merge{Change: 7, Head: headOne, Reason: "why"}, "merge change 7 at 11111111: why", "merge/7@" + string(headOne)},
		{CloseChange{Change: 7, Head: headOne, Note: "n"}, "close change 7, which promotes nothing any more", "close/7@" + string(headOne)},
		{Deliver{Promotion: p, Merged: mergedAs}, "deliver promotion dev.0002.d4dd30e at 99999999", "deliver/shop/dev/dev.0002.d4dd30e@" + string(mergedAs)},
		{Finish{Promotion: p, Phase: PhaseFailed, Message: "m"}, "end promotion dev.0002.d4dd30e as Failed: m", "finish/shop/dev/dev.0002.d4dd30e=Failed"},
		{RecordHold{hold}, "hold shop/dev for ann", "hold/shop/dev"},
		{ReleaseHold{hold, "bob"}, "resume shop/dev for bob", "resume/shop/dev"},
		{RecordRequest{Request{Key: "k", Stage: dev, Freight: f.ID, By: "ann"}}, "record that ann asks for d4dd30e in shop/dev", "request/k"},
		{
			PinRequest{Request{Key: "k", Stage: dev, Freight: f.ID, By: "ann", Head: headOne}},
			"record that ann asked for d4dd30e in shop/dev at 11111111 only", "pin/k",
		},
		{Reply{Change: 7, Comment: 31}, "reply to comment 31 on change 7", "reply/7/31"},
	} {
		if got := c.action.String(); got != c.text {
			t.Errorf("String = %q, want %q", got, c.text)
		}
		if got := c.action.Key(); got != c.key {
			t.Errorf("Key = %q, want %q", got, c.key)
		}
	}
}

func TestKeysTellTextsApart(t *testing.T) {
	one, two := UpdateChange{Edit: ChangeEdit{"a", "bc"}}, UpdateChange{Edit: ChangeEdit{"ab", "c"}}
	if one.Key() == two.Key() {
		t.Errorf("two texts have the key %s", one.Key())
	}
	waits, blocks := PostStatus{Status: Status{Description: "a"}}, PostStatus{Status: Status{Description: "b"}}
	if waits.Key() == blocks.Key() {
		t.Errorf("two descriptions have the key %s", waits.Key())
	}
}

func TestStatusAsJSON(t *testing.T) {
	got, err := json.Marshal(StageStatus{Stage: dev, Verdict: Wait, Reason: "r", Gates: Gates{{GateHold, Block, "g"}}})
	want := `{"stage":"shop/dev","verdict":"wait","reason":"r","gates":[{"name":"hold","verdict":"block","reason":"g"}]}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
	got, err = json.Marshal(Finding{Severity: SeverityWarning, Position: Position{File: "a.yaml", Line: 3}, Message: "m"})
	want = `{"severity":"warning","code":"","position":{"file":"a.yaml","line":3},"message":"m","remedy":""}`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
}
