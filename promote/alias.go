package promote

import (
	"hash/fnv"
	"strconv"
	"strings"
)

// The words that aliases are made of. Changing them changes no alias that was given: it is kept with the freight.
var (
	aliasManners = strings.Fields(`able agile amber ample azure bold brave breezy bright brisk calm candid clear clever cool
		copper coral cosmic cozy crisp curious daring deep eager early fair fancy fast fine firm fleet fond free fresh gentle
		glad golden grand green happy hardy humble jolly keen kind lively loyal lucid lucky mellow merry mighty mild neat nimble
		noble open patient plain proud quick quiet rapid ready`)
	aliasAnimals = strings.Fields(`adder alpaca auk badger beaver bison bittern buzzard carp cormorant coot crane curlew dipper
		dolphin dove duck eel egret eider falcon finch fox gannet godwit goose grebe gull hare harrier hawk heron ibis kestrel
		kite lapwing lark lemming linnet loon lynx magpie marten merlin mink moth newt osprey otter owl perch pike plover
		pochard puffin quail rail raven robin salmon seal shrew siskin skua`)
)

// aliasOf names a freight for people, such as "brave-otter". Equal freight of equal attempts has an equal name; attempts count
// the names that were taken already.
func aliasOf(id FreightID, attempt int) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id)) // never fails
	n := int(h.Sum32() >> 1)
	manners, animals := len(aliasManners), len(aliasAnimals)
	alias := aliasManners[n%manners] + "-" + aliasAnimals[n/manners%animals]
	if attempt > 0 {
		alias += "-" + strconv.Itoa(attempt+1)
	}
	return alias
}

// alias gives new freight a name that no other freight of its project has.
func (x *index) alias(f Freight) string {
	taken := x.aliases[f.Project]
	if taken == nil {
		taken = map[string]bool{}
		for key, known := range x.freights {
			if key.Project == f.Project && known.Alias != "" {
				taken[known.Alias] = true
			}
		}
		x.aliases[f.Project] = taken
	}
	for attempt := 0; ; attempt++ {
		if alias := aliasOf(f.ID, attempt); !taken[alias] {
			taken[alias] = true
			return alias
		}
	}
}
