mod names {}

arrakis::hypothesis_suite!(names::moves, names::copies, names::moves);
