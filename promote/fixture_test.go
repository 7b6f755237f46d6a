package promote

import (
	"time"
)

// The fixtures describe one shop: warehouse web feeds dev, which is promoted automatically, and dev feeds prod, where a
// person decides. Every change to that is made in the test that needs it.
var (
	epoch = time.Date(2026, 5, 2, 8, 0, 0, 0, time.UTC)
	now   = epoch.Add(time.Hour)
	dev   = StageRef{"shop", "dev"}
	prod  = StageRef{"shop", "prod"}
)

const (
	mainTip  Commit = "aaaaaaaa00000000000000000000000000000000"
	headOne  Commit = "11111111000000000000000000000000000000aa"
	headTwo  Commit = "22222222000000000000000000000000000000aa"
	mergedAs Commit = "99999999000000000000000000000000000000aa"
)

func shop() Pipeline {
	steps := []Step{{Uses: "git-push", As: "step-1"}}
	return Pipeline{
		Project: "shop", Declared: true, Position: Position{File: "kargo/project.yaml", Line: 1},
		Warehouses: []Warehouse{{Name: "web", Interval: 5 * time.Minute, Images: []ImageSubscription{{RepoURL: "acme/web"}}}},
		Stages: []Stage{
			{
				Name: "dev", Steps: steps, Position: Position{File: "kargo/dev.yaml", Line: 1},
				Requests: []FreightRequest{{Warehouse: "web", Direct: true}},
			},
			{
				Name: "prod", Steps: steps, Position: Position{File: "kargo/prod.yaml", Line: 1},
				Requests: []FreightRequest{{Warehouse: "web", Stages: []string{"dev"}}},
			},
		},
		Policies: []Policy{{Stage: "dev", AutoPromotion: true}},
	}
}

func web(tag string) Image { return Image{RepoURL: "acme/web", Tag: tag, Digest: "sha256:" + tag} }

// version is the freight of warehouse web with that tag; a higher patch level was discovered later.
func version(tag string) Freight {
	return NewFreight("shop", "web", Artifacts{Images: []Image{web(tag)}}, epoch.Add(time.Duration(tag[len(tag)-1]-'0')*time.Minute))
}

type edit func(*State)

// known is the state of the shop at now, with edits.
func known(edits ...edit) State {
	s := State{
		Now: now, Branch: "main", Head: mainTip, Tips: map[Branch]Commit{}, Pipelines: []Pipeline{shop()},
		Evidence: map[Commit]Evidence{}, Statuses: map[Commit]Status{}, Conflicts: map[PromotionRef][]string{},
		Deliveries: map[PromotionRef]Delivering{}, Unmade: map[string]string{},
	}
	for _, e := range edits {
		e(&s)
	}
	return s
}

func discovered(tag string) edit {
	return func(s *State) {
		s.Discoveries = append(s.Discoveries, Discovery{Project: "shop", Warehouse: "web", Artifacts: Artifacts{Images: []Image{web(tag)}}, At: now.Add(-time.Minute)})
	}
}

func recorded(tags ...string) edit {
	return func(s *State) {
		for _, tag := range tags {
			s.History.Freights = append(s.History.Freights, version(tag))
		}
	}
}

// promotion is the n-th of a stage, made by automation at epoch+n*10m.
func promotion(stage StageRef, number int, tag string, edits ...func(*Promotion)) Promotion {
	f := version(tag)
	p := Promotion{
		ID: promotionID(stage, number, f.ID), Stage: stage, Number: number, Freight: f.ID, Phase: PhaseProposed, Actor: autoPromotion,
		CreatedAt: epoch.Add(time.Duration(number) * 10 * time.Minute), Base: mainTip, Branch: ProposalBranch(stage), Target: "main",
		Head: headOne,
	}
	for _, e := range edits {
		e(&p)
	}
	return p
}

func byAnn(p *Promotion)    { p.Actor = "ann" }
func inChange(p *Promotion) { p.Change, p.URL = 7, "https://forge/7" }
func delivering(p *Promotion) {
	inChange(p)
	p.Phase, p.Merged, p.DeliveringSince = PhaseDelivering, mergedAs, p.CreatedAt.Add(time.Minute)
}

func succeeded(p *Promotion) {
	delivering(p)
	p.Phase, p.FinishedAt = PhaseSucceeded, p.CreatedAt.Add(2*time.Minute)
}

func failed(p *Promotion) {
	inChange(p)
	p.Phase, p.Message, p.FinishedAt = PhaseFailed, "its change was closed without being merged by bob", p.CreatedAt.Add(2*time.Minute)
}

func aborted(p *Promotion) {
	p.Phase, p.Message, p.FinishedAt = PhaseAborted, "superseded by 1.0.9", p.CreatedAt.Add(2*time.Minute)
}

func promoted(all ...Promotion) edit {
	return func(s *State) { s.History.Promotions = append(s.History.Promotions, all...) }
}

// ran is the usual way in which a stage came to run a freight: promoted and verified.
func ran(stage StageRef, number int, tag string) edit {
	return func(s *State) {
		p := promotion(stage, number, tag, succeeded)
		s.History.Promotions = append(s.History.Promotions, p)
		verified(stage, tag, p.FinishedAt)(s)
	}
}

func verified(stage StageRef, tag string, at time.Time) edit {
	return func(s *State) {
		s.History.Verifications = append(s.History.Verifications, Verification{Stage: stage, Freight: version(tag).ID, VerifiedAt: at})
	}
}

func held(stage StageRef, reason string) edit {
	return func(s *State) {
		s.History.Holds = append(s.History.Holds, Hold{Stage: stage, By: "ann", Reason: reason, At: now})
	}
}

func requested(stage StageRef, tag string, after int) edit {
	return func(s *State) {
		s.History.Requests = append(s.History.Requests, Request{
			Key: "change-1-comment-1", Stage: stage, Freight: version(tag).ID, By: "ann", At: now, After: after,
		})
	}
}

func wished(p Promotion) edit {
	return func(s *State) {
		s.History.Requests = append(s.History.Requests, Request{
			Key: "change-7-comment-1", Stage: p.Stage, Freight: p.Freight, By: "ann", At: now, Merge: p.ID, Head: p.Head, Shown: p.Shown, After: p.Number,
		})
	}
}

// pipeline changes the shop's pipeline.
func pipeline(change func(*Pipeline)) edit { return func(s *State) { change(&s.Pipelines[0]) } }

// found is good evidence about a head of a promotion of that tag.
func found(head Commit, tag string) edit {
	return func(s *State) { s.Evidence[head] = good(head, tag) }
}

func good(head Commit, tag string) Evidence {
	return Evidence{
		Head: head, Base: mainTip,
		Images:       []ImageEvidence{{Image: web(tag), Digest: "sha256:" + tag}},
		Applications: []ApplicationEvidence{{Name: "web", Exists: true, Source: "argocd/web.yaml:1", Authorized: []StageRef{dev, prod}}},
		Moves:        []Move{{File: "web/values.yaml", Key: "image.tag", Before: "1.0.0", After: tag}},
	}
}

func evidence(head Commit, change func(*Evidence)) edit {
	return func(s *State) {
		e := s.Evidence[head]
		change(&e)
		s.Evidence[head] = e
	}
}

// opened is the open change of a promotion, with our text and status as Decide wants them.
func opened(p Promotion, edits ...func(*Change)) edit {
	return func(s *State) {
		s.Tips[p.Branch] = p.Head
		c := Change{Number: 7, URL: "https://forge/7", Branch: p.Branch, Target: "main", Head: p.Head, Mergeability: Mergeability{Merge: MergeReady}}
		for _, e := range edits {
			e(&c)
		}
		s.Changes = append(s.Changes, c)
	}
}

// settled lets our text and status be what Decide wants them to be.
func settled(s *State) {
	for _, action := range Decide(*s).Actions {
		switch a := action.(type) {
		case UpdateChange:
			for i := range s.Changes {
				if s.Changes[i].Number == a.Change {
					s.Changes[i].Title, s.Changes[i].Description = a.Edit.Title, a.Edit.Description
				}
			}
		case PostStatus:
			s.Statuses[a.Head] = a.Status
		default:
		}
	}
}

// open is a state with the open, settled change of the second promotion of dev, from 1.0.0 to 1.0.1.
func open(edits ...edit) State {
	p := promotion(dev, 2, "1.0.1", inChange)
	return known(append([]edit{
		recorded("1.0.0", "1.0.1"), ran(dev, 1, "1.0.0"), promoted(p), opened(p), found(headOne, "1.0.1"), settled,
	}, edits...)...)
}

func change(edits ...func(*Change)) edit {
	return func(s *State) {
		for _, e := range edits {
			e(&s.Changes[0])
		}
	}
}

// pushed says that a person pushed a commit to the branch of the open change.
func pushed(head Commit) edit {
	return func(s *State) {
		s.Changes[0].Head = head
		s.Tips[s.Changes[0].Branch] = head
	}
}

func asked(verb Verb, arguments ...string) Command {
	return Command{
		Verb: verb, Arguments: arguments, Permission: PermissionWrite,
		Comment: Comment{ID: 31, Change: 7, Author: "ann", At: now},
	}
}

func says(c Command) edit {
	return func(s *State) {
		if len(s.Changes) > 0 && c.Change.Number == 0 {
			c.Change = s.Changes[0]
		}
		s.Commands = append(s.Commands, c)
	}
}

func asDiscovered(tag string) Freight {
	f := NewFreight("shop", "web", Artifacts{Images: []Image{web(tag)}}, now.Add(-time.Minute))
	f.Alias = aliasOf(f.ID, 0)
	return f
}

func finding(f Finding) edit { return func(s *State) { s.Findings = append(s.Findings, f) } }

// gated puts a control-flow stage between dev and prod, which promotes automatically.
func gated(s *State) {
	p := &s.Pipelines[0]
	p.Stages = append(p.Stages, Stage{Name: "gate", Requests: []FreightRequest{{Warehouse: "web", Stages: []string{"dev"}}}})
	p.Stages[1].Requests[0].Stages = []string{"gate"}
	autoProd(s)
	held(dev, "")(s)
}

func verifiedNow(stage StageRef, tag string) edit { return verified(stage, tag, now) }

// verifiedAt says that a freight was verified in stages of the shop half an hour ago.
func verifiedAt(tag string, first StageRef, others ...string) edit {
	return func(s *State) {
		verified(first, tag, now.Add(-30*time.Minute))(s)
		for _, name := range others {
			verified(StageRef{"shop", name}, tag, now.Add(-30*time.Minute))(s)
		}
	}
}

// forgotText settles what is not looked at by the test: the text of the change.
func forgotText(s *State) {
	for _, action := range Decide(*s).Actions {
		if a, ok := action.(UpdateChange); ok {
			s.Changes[0].Title, s.Changes[0].Description = a.Edit.Title, a.Edit.Description
		}
	}
}

// queuedTimes says how often the forge let the newest promotion into its queue.
func queuedTimes(n int) edit {
	return func(s *State) { s.History.Promotions[len(s.History.Promotions)-1].Queued = n }
}

func autoMerge(s *State) { s.Pipelines[0].Stages[0].AutoMerge = true }

func autoProd(s *State) {
	s.Pipelines[0].Policies = append(s.Pipelines[0].Policies, Policy{Stage: "prod", AutoPromotion: true})
}

func soak(d time.Duration) edit {
	return pipeline(func(p *Pipeline) { p.Stages[1].Requests[0].RequiredSoak = d })
}

// canary adds a second stage from which prod takes freight.
func canary(all bool) edit {
	return pipeline(func(p *Pipeline) {
		p.Stages = append(p.Stages, Stage{Name: "canary", Steps: p.Stages[0].Steps, Requests: p.Stages[0].Requests})
		p.Stages[1].Requests[0].Stages = []string{"dev", "canary"}
		p.Stages[1].Requests[0].All = all
	})
}

func unmade(stage StageRef, tag, why string) edit {
	return func(s *State) { s.Unmade[ProposalKey(stage, version(tag).ID)] = why }
}

func conflict(files ...string) edit {
	return func(s *State) { s.Conflicts[promotion(dev, 2, "1.0.1").Ref()] = files }
}

// conflictIn is conflict for a promotion of the same ID in another stage.
func conflictIn(stage StageRef, files ...string) edit {
	return func(s *State) { s.Conflicts[PromotionRef{stage, promotion(dev, 2, "1.0.1").ID}] = files }
}

func tip(stage StageRef, head Commit) edit {
	return func(s *State) { s.Tips[ProposalBranch(stage)] = head }
}

// api is freight of the shop's second warehouse.
func api(tag string) Freight {
	return NewFreight("shop", "api", Artifacts{Images: []Image{{RepoURL: "acme/api", Tag: tag, Digest: "sha256:" + tag}}}, epoch.Add(30*time.Minute))
}

// twoWarehouses is a shop whose dev takes freight of both warehouses, and no prod.
func twoWarehouses(edits ...edit) State {
	return known(append([]edit{recorded("1.0.0"), func(s *State) {
		p := &s.Pipelines[0]
		p.Warehouses = append(p.Warehouses, Warehouse{Name: "api", Images: []ImageSubscription{{RepoURL: "acme/api"}}})
		p.Stages = p.Stages[:1]
		p.Stages[0].Requests = append(p.Stages[0].Requests, FreightRequest{Warehouse: "api", Direct: true})
		s.History.Freights = append(s.History.Freights, api("2.0.0"))
	}}, edits...)...)
}

func apiRan(stage StageRef, number int, tag string) edit {
	p := promotion(stage, number, "1.0.0", succeeded)
	p.Freight, p.ID = api(tag).ID, promotionID(stage, number, api(tag).ID)
	return promoted(p)
}

// twoImages is a shop whose freight holds two images: web and api.
func twoImages(edits ...edit) State {
	return known(append([]edit{pair("1.0.2", "2.0.1", 3), pipeline(func(p *Pipeline) { p.Stages = p.Stages[:1] }), tip(dev, headOne)}, edits...)...)
}

func pairOf(one, two string, minute int) Freight {
	return NewFreight("shop", "web", Artifacts{Images: []Image{web(one), {RepoURL: "acme/api", Tag: two, Digest: "sha256:" + two}}},
		epoch.Add(time.Duration(minute)*time.Minute))
}

func pair(one, two string, minute int) edit {
	return func(s *State) { s.History.Freights = append(s.History.Freights, pairOf(one, two, minute)) }
}

func pairPromotion(one, two string) Promotion {
	p := promotion(dev, 1, "1.0.0")
	p.Freight = pairOf(one, two, 3).ID
	p.ID = promotionID(dev, 1, p.Freight)
	return p
}

// otherProject adds a project with the same stages, whose freight is already in dev.
func otherProject(s *State) {
	p := shop()
	p.Project = "bank"
	s.Pipelines = append(s.Pipelines, p)
	f := NewFreight("bank", "web", Artifacts{Images: []Image{web("3.0.0")}}, epoch)
	s.History.Freights = append(s.History.Freights, f)
	stage := StageRef{"bank", "dev"}
	done := promotion(stage, 1, "1.0.0", succeeded)
	done.Freight, done.ID = f.ID, promotionID(stage, 1, f.ID)
	s.History.Promotions = append(s.History.Promotions, done)
}

func on(c Change, command Command) Command {
	command.Change = c
	return command
}

func by(permission Permission, command Command) Command {
	command.Permission = permission
	return command
}

// mergedChange is the change by which a stage got its freight.
func mergedChange(stage StageRef) Change {
	return Change{Number: 7, Branch: ProposalBranch(stage), Target: "main", State: ChangeMerged, Merged: mergedAs, Head: headOne}
}

// idleShop runs 1.0.1 in dev and nothing in prod; 1.0.0 ran in dev before.
func idleShop(edits ...edit) State {
	return known(append([]edit{recorded("1.0.0", "1.0.1"), ran(dev, 1, "1.0.0"), ran(dev, 2, "1.0.1")}, edits...)...)
}

func another(c Command) Command {
	c.Comment.ID = 30
	return c
}

// expiring lets the newest promotion wait for its merge until then.
func expiring(until time.Time) edit {
	return func(s *State) {
		p := &s.History.Promotions[len(s.History.Promotions)-1]
		p.Waits, p.Until = WaitsMerge, until
	}
}
