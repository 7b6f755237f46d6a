package registryhook

import (
	"cmp"
	"net/url"
	"strings"
)

// distributionEnvelope is what CNCF Distribution sends: the notifications of a while.
type distributionEnvelope struct {
	Events []struct {
		Action string `json:"action"`
		Target struct {
			MediaType  string `json:"mediaType"`
			Repository string `json:"repository"`
			URL        string `json:"url"`
			Tag        string `json:"tag"`
		} `json:"target"`
		Request struct {
			Host string `json:"host"`
		} `json:"request"`
	} `json:"events"`
}

func parseDistribution(body []byte) ([]string, error) {
	var envelope distributionEnvelope
	if err := decode(body, &envelope); err != nil {
		return nil, err
	}
	var names []string
	for _, event := range envelope.Events {
		// Layers are pushed too, each with an event of its own.
		manifest := event.Target.Tag != "" || strings.Contains(event.Target.MediaType, "manifest") || strings.Contains(event.Target.MediaType, "image.index")
		if event.Action != "push" || !manifest {
			continue
		}
		host := event.Request.Host
		if parsed, err := url.Parse(event.Target.URL); err == nil {
			host = cmp.Or(host, parsed.Host)
		}
		name, err := image(strings.TrimPrefix(host+"/"+event.Target.Repository, "/"))
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil, ignored("no manifest was pushed")
	}
	return names, nil
}
