#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# shellcheck disable=SC2154,SC2086,SC2034
#
# catfish import of what GDAL reads: which features give which items.

. "${top_srcdir:-.}/tests/tools/lib.sh"

header=id,xmin,ymin,xmax,ymax
everywhere=-1e9,-1e9,1e9,1e9

lines() {
	printf '%s\n' "$@"
}

cat >"$work/shapes.geojson" <<JSON
{"type":"FeatureCollection","name":"shapes","features":[
{"type":"Feature","id":10,"properties":{"name":"point","num":7,"code":"70"},
 "geometry":{"type":"Point","coordinates":[1,2]}},
{"type":"Feature","id":11,"properties":{"name":"line","num":8,"code":"x"},
 "geometry":{"type":"LineString","coordinates":[[0,0],[3,1],[2,4]]}},
{"type":"Feature","id":12,"properties":{"name":"area","num":9,"code":"90"},
 "geometry":{"type":"Polygon","coordinates":
  [[[0,0],[9,0],[9,9],[0,9],[0,0]],[[3,3],[3,6],[6,6],[3,3]]]}},
{"type":"Feature","id":13,"properties":{"name":"lines","num":null,"code":"-1"},
 "geometry":{"type":"MultiLineString","coordinates":
  [[[20,20],[21,20]],[[30,30],[30,31],[31,31]]]}}
]}
JSON
cat >"$work/holes.geojson" <<JSON
{"type":"FeatureCollection","features":[
{"type":"Feature","id":1,"properties":{},"geometry":null},
{"type":"Feature","id":2,"properties":{},
 "geometry":{"type":"Point","coordinates":[5,5]}},
{"type":"Feature","id":3,"properties":{},
 "geometry":{"type":"LineString","coordinates":[]}}
]}
JSON
{
	echo '# @VGMT1.0 @GLINESTRING'
	printf '%s\n' '> a' '0 0' 'nan 1' '2 2' '> b' '0 0' '1 inf' \
		'> c' '3 4' '5 5'
} >"$work/nan.gmt"
{
	echo '# @VGMT1.0 @GLINESTRING'
	printf '%s\n' '> a' '0 0' '1 2' '> b' '5 5' '5 5' '7 6'
} >"$work/lines.gmt"
cat >"$work/layers.kml" <<KML
<kml xmlns="http://www.opengis.net/kml/2.2"><Document>
<Folder><name>towns</name>
<Placemark><Point><coordinates>10,56</coordinates></Point></Placemark>
<Placemark><Point><coordinates>12,55</coordinates></Point></Placemark>
</Folder>
<Folder><name>roads</name>
<Placemark><LineString><coordinates>10,56 12,55</coordinates></LineString>
</Placemark></Folder>
</Document></kml>
KML

run catfish import "$work/shapes.geojson" --region "$work/probe.region"
if grep -q 'this build has no GDAL' "$work/err"; then
	is "a build without GDAL says so" status 2 out "" \
		err 'shapes\.geojson: this build has no GDAL .* id,xmin,ymin'
	run catfish import "$work/none.shp" --region "$work/probe.region"
	is "and that a file is missing" status 2 err 'No such file'
	finish
fi
is "a build with GDAL reads GeoJSON" status 0 err '4 items imported'

start_server main

# imports NAME ITEMS SOURCE [OPTION...]: it succeeds, and the server then
# holds exactly these.
imports() {
	what=$1 items=$2
	shift 2
	run catfish import "$@" --replace
	cp "$work/err" "$work/said"
	is "$what: the import succeeds" status 0 out ""
	run catfish query --bbox $everywhere -o csv
	is "$what" status 0 sorted "$(lines $header $items)" err ""
}

# said NAME REGEX: the last import said so.
said() {
	claim "$1" "$(grep -Eq -e "$2" "$work/said" ||
		echo "not said: $2; but: $(cat "$work/said")")"
}

# refused NAME STATUS REGEX SOURCE [OPTION...]
refused() {
	fact=$1 wanted=$2 words=$3
	shift 3
	run catfish import "$@" --replace
	is "$fact" status "$wanted" out "" err "^catfish import: .*$words"
}

# --- Envelopes and ids ------------------------------------------------------

imports "an item per feature, with its FID" \
	"10,1,2,1,2 11,0,0,3,4 12,0,0,9,9 13,20,20,31,31" \
	"$work/shapes.geojson"
said "with features and vertices counted" \
	'4 features read, 18 vertices, 0 skipped; 4 items'
imports "ids of an integer field" "7,1,2,1,2 8,0,0,3,4 9,0,0,9,9" \
	"$work/shapes.geojson" --id num --where 'num IS NOT NULL'
imports "ids of a text field" "70,1,2,1,2 90,0,0,9,9 -1,20,20,31,31" \
	"$work/shapes.geojson" --id code --where "code <> 'x'"
imports "features without an id" "7,1,2,1,2 8,0,0,3,4 9,0,0,9,9" \
	"$work/shapes.geojson" --id num
said "are counted" 'skipped 1: no 64-bit id'
refused "an unknown field" 2 "has no field 'height'; it has name, num, code" \
	"$work/shapes.geojson" --id height

# --- Segments ---------------------------------------------------------------

imports "an item per segment of lines and rings" \
	"1,0,0,3,1 2,2,1,3,4 3,0,0,9,0 4,9,0,9,9 5,0,9,9,9
	6,0,0,0,9 7,3,3,3,6 8,3,6,6,6 9,3,3,6,6 10,20,20,21,20
	11,30,30,30,31 12,30,31,31,31" \
	"$work/shapes.geojson" --segments
said "a point has none" 'skipped 1: no line segments'
imports "a field's value repeats on the segments" "8,0,0,3,1 8,2,1,3,4" \
	"$work/shapes.geojson" --segments --id num \
	--where "name IN ('line', 'point')"

# --- Features that can't be used --------------------------------------------

imports "null and empty geometries" "2,5,5,5,5" \
	"$work/holes.geojson"
said "are counted" '3 features read, 1 vertices, 2 skipped; 1 items'
said "by their reason" 'skipped 1: no geometry'
said "each" 'skipped 1: empty geometry'
imports "coordinates that are not finite" "2,3,4,5,5" \
	"$work/nan.gmt"
said "are counted, too" 'skipped 2: a coordinate that is not finite'
refused "--strict makes them an error" 5 \
	"feature 0 of layer 'nan': a coordinate that is not finite" \
	"$work/nan.gmt" --strict
run catfish query --bbox $everywhere -o csv
is "of which nothing is seen" status 0 sorted "$(lines $header 2,3,4,5,5)"
refused "data of which nothing can be used" 5 \
	'nothing to import: none of 1 features can be used \(no line segm' \
	"$work/shapes.geojson" --segments --where "name = 'point'"
imports "--strict lets good data pass" "11,0,0,3,4" \
	"$work/shapes.geojson" --strict --where 'num = 8'

# --- Filters, layers, reference systems -------------------------------------

refused "a filter that can't be understood" 2 "filter \"num >\": " \
	"$work/shapes.geojson" --where 'num >'
run catfish import "$work/layers.kml" --replace
is "all layers are read" status 0 err '3 features read, 4 vertices'
run catfish import "$work/layers.kml" --layer towns --replace
is "or one" status 0 err '2 features read, 2 vertices'
refused "an unknown layer" 2 "no layer 'lakes'; there is towns, roads" \
	"$work/layers.kml" --layer lakes
run catfish import "$work/layers.kml" --layer towns --t-srs EPSG:3857 \
	--replace
run catfish query --bbox 1113194,7558415,1113195,7558416 --count
is "coordinates are transformed, as x and y" status 0 out 1
imports "back and forth is the same" "1,10,55,12,56" \
	"$work/layers.kml" --layer roads --t-srs EPSG:4326 --segments
refused "an unknown reference system" 2 \
	"no spatial reference system 'EPSG:nowhere'" "$work/layers.kml" \
	--t-srs EPSG:nowhere
refused "data without a reference system" 2 "doesn't say its spatial ref" \
	"$work/nan.gmt" --t-srs EPSG:3857

# --- Formats ----------------------------------------------------------------

if command -v ogr2ogr >/dev/null; then
	ogr2ogr -f GPKG "$work/shapes.gpkg" "$work/shapes.geojson"
	imports "a GeoPackage" "8,0,0,3,4 9,0,0,9,9" \
		"$work/shapes.gpkg" --id num --layer shapes --where 'num > 7'
	ogr2ogr -f 'ESRI Shapefile' "$work/lines.shp" -where 'num = 8' \
		"$work/shapes.geojson" 2>/dev/null
	imports "a Shapefile" "8,0,0,3,1 8,2,1,3,4" \
		"$work/lines.shp" --segments --id num
else
	tests=$((tests + 1))
	echo "ok $tests - a GeoPackage and a Shapefile # SKIP no ogr2ogr here"
fi
imports "lines of GMT, also of no length" "1,0,0,1,2 2,5,5,5,5 3,5,5,7,6" \
	"$work/lines.gmt" --segments

# --- What can't be read -----------------------------------------------------

head -c 300 "$work/shapes.geojson" >"$work/broken.geojson"
refused "a broken file" 5 "GDAL can't read .*broken\.geojson: " \
	"$work/broken.geojson"
echo "Dear diary" >"$work/diary.txt"
refused "a file of no such kind" 5 "GDAL can't read .*diary\.txt: " \
	"$work/diary.txt"
refused "a file that is missing" 2 'none\.shp: No such file' "$work/none.shp"

# --- Three dimensions -------------------------------------------------------

cat >"$work/space.geojson" <<JSON
{"type":"FeatureCollection","features":[
{"type":"Feature","id":1,"properties":{},
 "geometry":{"type":"Point","coordinates":[1,2,3]}},
{"type":"Feature","id":2,"properties":{},
 "geometry":{"type":"LineString","coordinates":[[0,0,9],[3,1,-1],[2,4,5]]}},
{"type":"Feature","id":3,"properties":{},
 "geometry":{"type":"Point","coordinates":[1,2]}}
]}
JSON
imports "without the option, z is passed over" "1,1,2,1,2 2,0,0,3,4 3,1,2,1,2" \
	"$work/space.geojson"

stop_server $pid
start_server space --dimensions 3
header=id,xmin,ymin,zmin,xmax,ymax,zmax
everywhere=-1e9,-1e9,-1e9,1e9,1e9,1e9
imports "with a server of three dimensions it is not" \
	"1,1,2,3,1,2,3 2,0,0,-1,3,4,9" "$work/space.geojson"
run cat "$work/said"
is "features without z are skipped and told of" status 0 \
	has 'skipped 1: no z$'
refused "--strict makes them an error" 5 "feature 3 .*: no z" \
	"$work/space.geojson" --strict
refused "data without any z" 5 'none of 4 features can be used \(no z\)' \
	"$work/shapes.geojson"
imports "segments have a z" "1,0,0,-1,3,1,9 2,2,1,-1,3,4,5" \
	"$work/space.geojson" --segments

stop_server $pid
finish
