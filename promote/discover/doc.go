// Package discover asks container registries what there is: the image that a warehouse selects, and what a tag points to.
// Selection follows Kargo (pkg/image); [Select] is its pure part.
//
// It owns how registries are asked: credentials, rate, time and size limits, pages, and what need not be asked again. It
// does not make freight. What it remembers may be lost at any time and costs requests only.
//
// # What is taken
//
// A subscription takes one image: the highest version (SemVer), the last tag in byte order (Lexical), what one tag points to
// (Digest), or what was built last (NewestBuild). Its digest is that of what the tag points to: for several platforms that
// of the index. With a platform it is the first that is for it; an image without an index is for the platform of its
// configuration, which Kargo never matches.
//
// When an image was built its annotation says, org.opencontainers.image.created before org.label-schema.build-date; without
// one it is the later of the configuration's time and that of the same labels, and of an index the newest of its images.
// Times up to 1980 are what reproducible builds write and count as none: such images NewestBuild cannot order and drops. Its
// annotations are those of the manifest or index, overlaid by what the index says of the platform; there are at most 64 of
// 1 KiB each, 16 KiB together.
//
// # Requests
//
// What is known by its digest is never asked for again. A discovery costs
//
//   - one request for each page of 1,000 tags, shared by all who ask for the same repository within Config.ShareFor, and
//     without a body where the registry marks pages with an ETag; none with Digest,
//   - one for what the chosen tag points to: HEAD when its image is known, else GET, which is the manifest at once; none when
//     the subscription trusts its tags (cacheByTag), except with Digest; with a platform the same for each better tag that
//     is not for it, at most 100,
//   - for a new image one for its configuration, unless its annotation says when it was built; for an index two for each of
//     its images that neither says it.
//
// NewestBuild reads every selected image once, at most Config.NewBuilds in one discovery and so many at a time as the
// registry allows, then only tags that were not there before. Unlike Kargo, which reads every tag's manifest at every poll,
// it takes a tag to point to what it pointed to, and asks again only for those of the newest builds, as many as the discovery
// limit: thousands of requests per poll are what makes registries refuse more. An older tag that is pushed again with a newer
// build is therefore not seen; one that moves on purpose, such as latest, is a subscription with Digest.
//
// The first request to a repository adds one to find out how to authenticate and, where the registry wants it, one for a
// token.
//
// # Memory
//
// What is kept of images that were taken, of what tags pointed to and when that was built, and of pages is bounded: 64 MiB,
// a million tags, 32 MiB. Beyond that a poll asks again for what does not fit, not for everything: what is there does not
// make room for what is new, save now and then. A repository whose tags do not fit is read anew at every poll, with
// NewestBuild at most Config.NewBuilds of its images, so that one with more than those waits until it fits or fewer tags are
// selected.
//
// # Folder
//
// With Config.CacheDir a restart costs nothing more. The folder holds images/<digest>.json, whatever repository it was read
// from, of images that were taken, and tags/<hash>.json, what the tags of a repository pointed to and, of those that
// NewestBuild looked at, when that was built and for which platforms. Files are replaced at once and ignored when they are
// broken. There are at most 100,000 images and 50,000 repositories; files that were not used for two days make room for
// others, those in use do not. Images are kept by their content only when it has that digest.
//
// With ChartConfig.CacheDir archives of charts are kept the same way, in charts/<digest>.json and chart-versions/<hash>.json, at
// most 1 GiB; a whole version that was read once is not asked for again.
//
// # Transport
//
// Registries are asked over TLS, whatever their name; those for which Config.Insecure says so, loopback addresses by
// default, over plain HTTP. A registry that answers 429 is left alone by everyone for as long as it asks for, ten minutes at
// most.
package discover
