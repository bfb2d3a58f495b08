<?php
// SimpleSAMLphp as an identity provider, for tests: beside this directory's files stand `cert`,
// and `sp.xml`, the metadata of the gateway.
$config = [
    // PHP's own server says which port it has got.
    'baseurlpath' => 'http://' . $_SERVER['HTTP_HOST'] . '/',
    'certdir' => __DIR__ . '/cert/',
    'loggingdir' => __DIR__ . '/',
    'datadir' => __DIR__ . '/',
    'tempdir' => __DIR__ . '/temporary',
    'metadatadir' => __DIR__,
    'secretsalt' => 'only for tests',
    'auth.adminpassword' => 'only for tests',
    'technicalcontact_email' => 'nobody@example.com',
    'timezone' => 'UTC',
    'language.default' => 'en',
    'logging.handler' => 'file',
    'enable.saml20-idp' => true,
    'module.enable' => ['core' => true, 'exampleauth' => true, 'saml' => true],
    'session.cookie.secure' => false,
    'session.phpsession.savepath' => __DIR__,
    'store.type' => 'phpsession',
    'metadata.sources' => [
        ['type' => 'flatfile'],
        ['type' => 'xml', 'file' => __DIR__ . '/sp.xml'],
    ],
    'metadata.sign.enable' => false,
];
