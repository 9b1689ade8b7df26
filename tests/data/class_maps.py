"""Rules between label spaces, as the documentation gives them."""

CITYSCAPES_TO_CAMVID = (
    *("sidewalk -> pavement", "wall -> building", "vegetation -> tree", "terrain -> tree"),
    *("traffic light -> sign symbol", "traffic sign -> sign symbol"),
    *("person -> pedestrian", "rider -> bicyclist", "bicycle -> bicyclist", "motorcycle -> bicyclist"),
    *("truck -> car", "bus -> car", "train -> car"),
)
