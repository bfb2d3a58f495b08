// A form for another service is sent by itself; without scripts its button does.
"use strict";
document.getElementById("onward").submit();
