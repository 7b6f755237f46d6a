package registryhook

import "errors"

// harborEvent is what Harbor sends, in its own format or as a CloudEvent.
type harborEvent struct {
	Type      string       `json:"type"`
	EventData harborPushed `json:"event_data"`
	Data      harborPushed `json:"data"` // of a CloudEvent
}

type harborPushed struct {
	Resources []struct {
		ResourceURL string `json:"resource_url"`
	} `json:"resources"`
}

func parseHarbor(body []byte) ([]string, error) {
	var event harborEvent
	if err := decode(body, &event); err != nil {
		return nil, err
	}
	var pushed harborPushed
	switch event.Type {
	case "PUSH_ARTIFACT":
		pushed = event.EventData
	case "harbor.artifact.pushed":
		pushed = event.Data
	default:
		return nil, ignored("event %q is not a push", clip(event.Type))
	}
	var names []string
	for _, resource := range pushed.Resources {
		name, err := image(resource.ResourceURL)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return nil, errors.New("a push without resources")
	}
	return names, nil
}
