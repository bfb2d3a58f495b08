<?php
$persistent = 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent';
$metadata['https://idp.example.com/metadata'] = [
    'host' => '__DEFAULT__',
    'privatekey' => 'idp.pem',
    'certificate' => 'idp.crt',
    'auth' => 'people',
    'NameIDFormat' => $persistent,
    'authproc' => [
        3 => ['class' => 'saml:AttributeNameID', 'attribute' => 'uid', 'Format' => $persistent],
    ],
    // Whether the gateway wants them, its metadata does not say.
    'assertion.encryption' => getenv('ENCRYPTED') === 'yes',
    'redirect.sign' => true,
];
