<?php
$config = [
    'people' => [
        'exampleauth:UserPass',
        'ann:secret' => [
            'uid' => ['u-1'],
            'email' => ['ann@acme.example'],
            'givenName' => ['Ann'],
            'sn' => ['Archer'],
            'groups' => ['ml', 'staff'],
        ],
    ],
];
